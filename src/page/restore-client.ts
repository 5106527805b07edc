/// <reference lib="dom" />
// Sends an archive in parts, each a request of its own, and shows what comes of it.
type Answer = { readonly html?: string; readonly is?: string | null; readonly message?: string }

const partBytes = 512 * 1024
const form = document.getElementById('restore')
const file = document.getElementById('file')
const choices = document.getElementById('choices')
const outcome = document.getElementById('outcome')
const progress = document.getElementById('progress')

/** While it is under way there is nothing to choose. */
const setBusy = (isBusy: boolean): void => {
  choices?.toggleAttribute('hidden', isBusy)
  progress?.toggleAttribute('hidden', !isBusy)
}

const send = async (path: string, body: Blob | URLSearchParams): Promise<Answer> => {
  const response = await fetch(path, { method: 'POST', body, headers: { accept: 'application/json' } })
  const answer = (await response.json()) as Answer
  if (!response.ok) throw new Error(answer.message)
  return answer
}

/** Goes to Mathesar once it is there again, or to the page of its boot. */
const goOver = (): void => {
  const again = (): void => void setTimeout(goOver, 1000)
  fetch('/livez').then(() => location.assign('/'), again)
}

/** Asks how far it is, until it has come to an end. */
const follow = async (): Promise<void> => {
  const response = await fetch(`${location.pathname}?work`, { headers: { accept: 'application/json' } })
  if (!response.ok) return goOver() // The container has started over: nobody is known any more.
  const { html = '', is } = (await response.json()) as Answer
  if (outcome !== null) outcome.innerHTML = html
  if (is === 'under way') setTimeout(() => void follow().catch(goOver), 1000)
  else if (is === 'done') setTimeout(goOver, 5000)
  else setBusy(false)
}

const upload = async (
  action: string,
  part: string,
  archive: File,
  fields: URLSearchParams,
): Promise<void> => {
  fields.set('act', 'begin')
  await send(action, fields)
  for (let at = 0; at < archive.size; at += partBytes) {
    const { is } = await send(`${part}?at=${at}`, archive.slice(at, at + partBytes))
    if (is !== 'under way') return
    if (progress instanceof HTMLProgressElement) progress.value = (at + partBytes) / archive.size
  }
  await send(action, new URLSearchParams({ act: 'end' }))
}

if (form instanceof HTMLFormElement && file instanceof HTMLInputElement)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const [archive] = file.files ?? []
    if (archive === undefined || outcome === null) return
    const fields = new URLSearchParams()
    for (const [name, value] of new FormData(form)) if (typeof value === 'string') fields.set(name, value)
    setBusy(true)
    upload(form.action, form.dataset['part'] ?? '', archive, fields)
      .then(follow)
      .catch(async (error: Error) => {
        await follow().catch(() => {})
        if (outcome.textContent === '') outcome.textContent = error.message
        setBusy(false)
      })
  })
void follow().catch(() => {})
