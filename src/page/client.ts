/// <reference lib="dom" />
// Follows the boot in the browser. The server renders; this puts in what it sends, and goes over to Mathesar.
type Message = { readonly html: string; readonly isServing: boolean }

/** Each reload in a row that leads here again waits longer: a page of Mathesar's may itself be what fails. */
const reload = (): void => {
  const key = 'mathesar-reloads'
  const count = Number(sessionStorage.getItem(key) ?? 0)
  sessionStorage.setItem(key, String(count + 1))
  setTimeout(() => location.reload(), count === 0 ? 0 : Math.min(30_000, 500 * 2 ** count))
}

/** Puts in only what is different: nothing is read out again, no list is closed, no selection lost. */
const show = (html: string): void => {
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

const follow = (): void => {
  const events = new EventSource('/supervisor/events')
  let isLeaving = false
  // The browser itself opens it again after a broken connection, and gives up after an answer such as 503.
  events.onerror = (): void => {
    if (!isLeaving && events.readyState === EventSource.CLOSED) setTimeout(follow, 1000)
  }
  events.onmessage = ({ data }: MessageEvent<string>): void => {
    const { html, isServing } = JSON.parse(data) as Message
    show(html)
    if (!isServing) sessionStorage.removeItem('mathesar-reloads')
    if (!isServing || isLeaving) return
    isLeaving = true
    events.close()
    reload()
  }
}
follow()
