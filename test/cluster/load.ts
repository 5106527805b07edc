// node load.ts URL: asks again and again until SIGTERM, half of its clients on connections that they keep.
import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

const [url = ''] = process.argv.slice(2)
const clients = 8
const pauseMs = 25
/** A node that is gone answers nothing. */
const limitMs = Number(process.env.LOAD_LIMIT_MS ?? 20_000)
const failed: string[] = []
let requests = 0
let slowestMs = 0
let isOver = false
process.once('SIGTERM', () => (isOver = true))

const once = (agent: Agent | false): Promise<string | undefined> =>
  new Promise((resolve) => {
    // The name of the Service, which the chart permits: the address of it need not be a private one.
    const request = get(url, { agent, timeout: limitMs, headers: { host: 'mathesar' } }, (response) => {
      response.resume().once('close', () => {
        const { complete, statusCode = 0 } = response
        const isGood = complete && [200, 302].includes(statusCode)
        resolve(isGood ? undefined : `status ${statusCode}${complete ? '' : ', cut off'}`)
      })
    })
      .once('error', (error) => resolve(error.message))
      .once('timeout', () => request.destroy(new Error(`no answer within ${limitMs} ms`)))
  })

const work = async (_: unknown, at: number): Promise<void> => {
  const agent = at % 2 === 0 && new Agent({ keepAlive: true, maxSockets: 1 })
  while (!isOver) {
    const began = performance.now()
    const why = await once(agent)
    requests += 1
    slowestMs = Math.max(slowestMs, performance.now() - began)
    if (why !== undefined) failed.push(`${new Date().toISOString()} ${agent ? 'kept' : 'new'}: ${why}`)
    await delay(pauseMs)
  }
  if (agent) agent.destroy()
}
await Promise.all(Array.from({ length: clients }, work))
process.stdout.write(`${JSON.stringify({ requests, failed, slowestMs: Math.round(slowestMs) })}\n`)
