import { expect, test } from 'vitest'
import { SupervisorError } from '../../src/errors.ts'
import { openKernel } from '../../src/system/kernel.ts'
import { createProcesses } from '../../src/system/process.ts'
import { createBase, createSystem } from '../../src/system/system.ts'
import { createFakeSystem } from '../unit/fakes/system.ts'

test('what fails in the background is logged in its words, and a fault of ours with its stack', async () => {
  const { system, said } = createFakeSystem()
  const kernel = openKernel()
  const { inBackground } = createSystem(createBase(kernel), createProcesses(kernel), system.log)
  inBackground('wake', () =>
    Promise.reject(new SupervisorError('USAGE', 'cannot wake mathesar: it is failed')),
  )
  inBackground('look', () => {
    throw new TypeError('x is not a function')
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(said.toSorted()).toEqual([
    expect.stringMatching(/^error cannot look: TypeError: x is not a function\n +at /),
    'error cannot wake: cannot wake mathesar: it is failed',
  ])
})
