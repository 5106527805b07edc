import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { sendEvents } from '../../../src/http/events.ts'
import { createParts } from './parts.ts'

test('a stream that has ended takes what comes too late, and nothing else happens', async () => {
  const failures: Error[] = []
  let say = (_: string): void => {}
  let endNow = (): void => {}
  const server = createServer((_, response) => {
    response.once('error', (error) => failures.push(error))
    sendEvents(
      { response },
      {
        ...createParts(),
        clock: {
          after: (_, act) => {
            endNow = act
            return () => {}
          },
        },
      },
      {
        headers: {},
        whenBehind: 'skip',
        follow: (send) => {
          say = send
          return () => {}
        },
      },
    )
    say('first')
    endNow()
    say('too late')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect(await answer.text()).toBe('data: first\n\n')
  expect(failures).toEqual([])
  server.close()
})

test('a stream whose reader has left while it was prepared follows nothing', () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  response.destroy()
  let follows = 0
  sendEvents({ response }, createParts(), {
    headers: {},
    whenBehind: 'skip',
    follow: () => {
      follows++
      return () => {}
    },
  })
  expect(follows).toBe(0)
})
