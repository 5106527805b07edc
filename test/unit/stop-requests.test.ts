import { expect, test } from 'vitest'
import { settle } from './fakes/clock.ts'
import { StopRequests } from '../../src/daemon/stop-requests.ts'

const stage = (drain = async (): Promise<void> => {}) => {
  const acts: string[] = []
  const instance = {
    drain: async (): Promise<void> => {
      acts.push('drain')
      await drain()
    },
    stop: async (): Promise<void> => void acts.push('stop'),
    forceStop: (): void => void acts.push('force'),
  }
  const inBackground = (_: string, act: () => Promise<void> | void): void =>
    void Promise.resolve(act()).catch((error: Error) => acts.push(error.message))
  return { acts, requests: new StopRequests({ inBackground }, instance) }
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

test('a request to stop is not lost where the draining fails', async () => {
  const { acts, requests } = stage(async () => {
    throw new Error('the disk is full')
  })
  requests.add()
  await settle()
  expect(acts).toEqual(['drain', 'stop', 'the disk is full'])
})
