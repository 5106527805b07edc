import type { UnitState } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import { askJson } from '../http/client.ts'

export const controlService = async (
  action: 'start' | 'stop' | 'restart',
  args: readonly string[],
): Promise<number> => {
  const [name, ...rest] = args
  if (name === undefined || rest.length > 0)
    throw new SupervisorError('USAGE', `cannot ${action}: give one service`, {
      hint: `For instance: supervisor ${action} mathesar`,
    })
  const path = `/v1/services/${encodeURIComponent(name)}/${action}`
  const { state } = await askJson<{ readonly state: UnitState }>('POST', path)
  process.stdout.write(`${name} is ${state}\n`)
  return state === (action === 'stop' ? 'stopped' : 'ready') ? 0 : 1
}
