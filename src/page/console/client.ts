/// <reference lib="dom" />
// What a part of the console does by itself. The server renders; this puts in what it sends.
import { show } from '../show.ts'

const root = '/supervisor/console'
/** What a browser can hold and show at ease. */
const mostLines = 5000

/** Loads the page again as soon as somebody answers. */
const comeBack = (): void => {
  const again = (): void => void setTimeout(comeBack, 1000)
  fetch(location.href).then(({ status }) => (status < 500 ? location.reload() : again()), again)
}

/** Opens a stream, and again when it ends. A session that is over is seen by the page that comes then. */
const listen = (path: string, take: (data: string) => void): EventSource => {
  const events = new EventSource(path)
  events.onmessage = ({ data }: MessageEvent<string>): void => take(data)
  events.onerror = (): void => {
    if (events.readyState === EventSource.CLOSED) comeBack()
  }
  return events
}

const followStatus = (): void => {
  if (document.getElementById('view') !== null)
    listen(`${root}/events`, (data) => show((JSON.parse(data) as { html: string }).html))
}

/** Settings that hold what is typed, and no others. */
const filterSettings = (): void => {
  const find = document.getElementById('find')
  if (!(find instanceof HTMLInputElement)) return
  find.parentElement?.removeAttribute('hidden')
  find.addEventListener('input', () => {
    const wanted = find.value.toLowerCase()
    for (const setting of document.querySelectorAll<HTMLElement>('.setting'))
      setting.hidden = !setting.textContent.toLowerCase().includes(wanted)
    for (const section of document.querySelectorAll<HTMLElement>('form section'))
      section.hidden = section.querySelector('.setting:not([hidden])') === null
  })
}

/** A form is sent without leaving it: what was typed for a secret stays in it until it is in force. */
const planChanges = (): void => {
  const form = document.querySelector<HTMLFormElement>('form.plan')
  const outcome = document.getElementById('outcome')
  if (form === null || outcome === null) return
  form.addEventListener('input', () => outcome.replaceChildren())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const fields = new URLSearchParams()
    for (const [name, value] of new FormData(form, event.submitter))
      if (typeof value === 'string') fields.set(name, value)
    if (fields.has('apply')) outcome.textContent = form.dataset['wait'] ?? ''
    const buttons = [...form.querySelectorAll('button')]
    for (const button of buttons) button.disabled = true
    fetch(form.action, { method: 'POST', body: fields, headers: { accept: 'application/json' } })
      .then(async (response) => {
        const { html, location: next } = (await response.json()) as { html?: string; location?: string }
        if (html === undefined) location.assign(next ?? location.pathname)
        else outcome.innerHTML = html
        outcome.scrollIntoView({ block: 'nearest' })
      })
      .catch(comeBack)
      .finally(() => {
        for (const button of buttons) button.disabled = false
      })
  })
}

/** Shows what comes, and only lines that hold what is typed. */
const followLog = (): void => {
  const log = document.getElementById('log')
  const filter = document.getElementById('filter')
  const follow = document.getElementById('follow')
  if (log === null || !(filter instanceof HTMLInputElement) || !(follow instanceof HTMLInputElement)) return
  follow.closest('p')?.removeAttribute('hidden')
  const goToEnd = (): void => log.scrollTo(0, log.scrollHeight)
  const sift = (line: Element): void => {
    const isWanted = line.textContent.toLowerCase().includes(filter.value.toLowerCase())
    line.toggleAttribute('hidden', !isWanted)
  }
  const append = (html: string): void => {
    const isAtEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40
    const last = log.lastElementChild
    log.insertAdjacentHTML('beforeend', html)
    for (let line = last?.nextElementSibling ?? log.firstElementChild; line; line = line.nextElementSibling)
      sift(line)
    while (log.children.length > mostLines) log.firstElementChild?.remove()
    if (isAtEnd) goToEnd()
  }
  filter.addEventListener('input', () => [...log.children].forEach(sift))
  document.getElementById('unit')?.addEventListener('change', () => filter.form?.submit())
  let events: EventSource | undefined
  let isFresh = false
  /** A stream begins with the lines before it. */
  const take = (data: string): void => {
    if (isFresh) log.replaceChildren()
    append(JSON.parse(data) as string)
    if (isFresh) goToEnd()
    isFresh = false
  }
  const go = (): void => {
    events?.close()
    const unit = new URLSearchParams(location.search).get('unit') ?? ''
    if (!follow.checked) return
    events = listen(`${root}/log/events?unit=${encodeURIComponent(unit)}`, take)
    events.onopen = (): void => {
      isFresh = true
    }
  }
  follow.addEventListener('change', go)
  goToEnd()
  go()
}

followStatus()
filterSettings()
planChanges()
followLog()
