import type { Phase } from '../core/phase.ts'
import type { UnitState } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Service } from './service.ts'
import { restartsOf } from './service-record.ts'

export type ControlAction = 'start' | 'stop' | 'restart'

type Asked = {
  readonly action: ControlAction
  readonly name: string
  readonly phase: Phase
  /** Why the settings in force leave the service out, if they do. */
  readonly skipped: string | undefined
}

const refuse = (why: string, hint: string): never => {
  throw new SupervisorError('USAGE', why, { hint })
}

/** Refuses what cannot be done to a service now. */
export const requireControllable = ({ action, name, phase, skipped }: Asked): void => {
  if (phase !== 'running')
    refuse(`cannot ${action} ${name} while ${phase}`, 'Wait until `supervisor status` says ready.')
  if (skipped !== undefined && action !== 'stop')
    refuse(`cannot ${action} ${name}: ${skipped}`, 'Type `supervisor status` for what runs.')
}

/** Starts, stops or restarts a service. Resolves with the state that it reached. */
export const controlService = async (service: Service, action: ControlAction): Promise<UnitState> => {
  if (action === 'stop') {
    await service.stop()
    return service.state.name
  }
  const restarts = restartsOf(service.record)
  service[action]()
  if (action === 'restart') await service.reached('starting', 'failed')
  else if (restartsOf(service.record) === restarts && service.state.name !== 'starting')
    return service.state.name
  return await service.reached('ready', 'failed', 'stopped')
}
