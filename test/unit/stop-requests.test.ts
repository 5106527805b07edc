import { expect, test } from 'vitest'
import { StopRequests } from '../../src/daemon/stop-requests.ts'

const stage = () => {
  const acts: string[] = []
  const instance = {
    stop: async (): Promise<void> => void acts.push('stop'),
    forceStop: (): void => void acts.push('force'),
  }
  return { acts, requests: new StopRequests({ inBackground: (_, act) => void act() }, instance) }
}

test('the first request to stop is for a clean stop, and a further one for a quick one', () => {
  const { acts, requests } = stage()
  expect(requests.isAsked).toBe(false)
  requests.add()
  expect([acts, requests.isAsked]).toEqual([['stop'], true])
  requests.add()
  requests.add()
  expect(acts).toEqual(['stop', 'force', 'force'])
})
