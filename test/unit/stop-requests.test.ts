import { expect, test } from 'vitest'
import { settle } from './fakes/clock.ts'
import { StopRequests } from '../../src/daemon/stop-requests.ts'

const stage = () => {
  const acts: string[] = []
  const instance = {
    drain: async (): Promise<void> => void acts.push('drain'),
    stop: async (): Promise<void> => void acts.push('stop'),
    forceStop: (): void => void acts.push('force'),
  }
  return { acts, requests: new StopRequests({ inBackground: (_, act) => void act() }, instance) }
}

test('the first request to stop is for a clean stop, and a further one for a quick one', async () => {
  const { acts, requests } = stage()
  expect(requests.isAsked).toBe(false)
  requests.add()
  await settle()
  expect([acts, requests.isAsked]).toEqual([['drain', 'stop'], true])
  requests.add()
  requests.add()
  expect(acts).toEqual(['drain', 'stop', 'force', 'force'])
})
