/// <reference lib="dom" />

/** Puts in only what is different: nothing is read out again, no list is closed, no selection lost. */
export const show = (html: string): void => {
  const view = document.getElementById('view')
  if (view === null) return
  const next = document.createElement('div')
  next.innerHTML = html
  const elements = [...next.children]
  for (const [at, element] of elements.entries()) {
    const before = view.children[at]
    element.toggleAttribute('open', before?.hasAttribute('open') ?? false)
    if (before === undefined) view.append(element)
    else if (before.outerHTML !== element.outerHTML) before.replaceWith(element)
  }
  while (view.children.length > elements.length) view.lastChild?.remove()
}
