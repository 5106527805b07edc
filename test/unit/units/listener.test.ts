import { describe, expect, test } from 'vitest'
import { listener } from '../../../src/units/listener.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { createScope, never } from '../fakes/scope.ts'

describe('the task `listener`', () => {
  test('opens the port of the settings and leaves the descriptor for Mathesar', async () => {
    const { scope, replies } = createScope({ config: 'PORT=8001\nBIND_ADDRESS=127.0.0.1\n' })
    replies.listen = (address, port) => (address === '127.0.0.1' && port === 8001 ? 12 : -1)
    expect(await listener.run(scope, never)).toEqual({ fd: 12, address: '127.0.0.1', port: 8001 })
  })

  test.each([
    ['EADDRINUSE', 'PORT_IN_USE', 'cannot listen on 0.0.0.0:8000: another program does'],
    ['EACCES', 'PORT_IN_USE', 'cannot listen on 0.0.0.0:8000: ports below 1024 are for root'],
    [
      'EADDRNOTAVAIL',
      'SETTING_INVALID',
      'cannot listen on BIND_ADDRESS 0.0.0.0: EADDRNOTAVAIL: it is refused',
    ],
  ])('turns %s into %s', async (errno, code, message) => {
    const { scope, replies } = createScope()
    replies.listen = () => {
      throw errorWith(errno)
    }
    expect(await failureOf(() => listener.run(scope, never))).toMatchObject({ code, message })
  })
})
