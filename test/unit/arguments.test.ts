import { expect, test } from 'vitest'
import { commandOf } from '../../src/cli/index.ts'

test.each([
  [['run'], ['run']],
  [[], []],
  [['supervisor', 'migrate'], ['migrate']],
  [['supervisor'], []],
  [['supervisor migrate'], ['migrate']],
  [
    ['/bin/sh', '-c', 'supervisor config get PORT'],
    ['config', 'get', 'PORT'],
  ],
  [
    ['config', 'set', 'X=supervisor run'],
    ['config', 'set', 'X=supervisor run'],
  ],
  [
    ['psql', '-c', 'supervisor run'],
    ['psql', '-c', 'supervisor run'],
  ],
])('a platform that keeps the entrypoint may hand it %j', (argv, command) => {
  expect(commandOf(argv)).toEqual(command)
})
