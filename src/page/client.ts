/// <reference lib="dom" />
// Follows the boot in the browser. The server renders; this puts in what it sends, and goes over to Mathesar.
import { show } from './show.ts'

type Message = { readonly html: string; readonly isServing: boolean }

/** Each reload in a row that leads here again waits longer: a page of Mathesar's may itself be what fails. */
const reload = (): void => {
  const key = 'mathesar-reloads'
  const count = Number(sessionStorage.getItem(key) ?? 0)
  sessionStorage.setItem(key, String(count + 1))
  setTimeout(() => location.reload(), count === 0 ? 0 : Math.min(30_000, 500 * 2 ** count))
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
