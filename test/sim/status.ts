import type { Container } from './container.ts'

/** What the status says must be true, and go together. */
export const checkStatus = (container: Container, checkText: (text: string) => void): void => {
  const { supervisor, world } = container
  const instance = supervisor?.instance
  if (!supervisor?.isAlive || instance === undefined) return
  const refuse = (why: string): void => world.violate('status', why)
  let status: ReturnType<typeof instance.status>
  try {
    status = instance.status()
    checkText(JSON.stringify([status, supervisor.config?.status(), supervisor.config?.problems()]))
  } catch (error) {
    return refuse(`the status threw ${(error as Error).stack}`)
  }
  const { phase, ready, units, problems } = status
  const services = units.filter(({ kind }) => kind === 'service')
  const { kind } = instance.inForce.database
  // The embedded Postgres that a change is just starting does not count yet.
  const counted = services.filter(({ name }) => kind === 'embedded' || name !== 'postgres')
  // What sleeps is there for whoever comes; the door never does.
  const mayBeDown = (name: string): boolean => instance.sleeper.isAsleep && name !== 'door'
  const areUp = counted.every(({ name, state }) => state === 'ready' || mayBeDown(name))
  if (ready !== (phase === 'running' && areUp)) refuse(`ready is ${ready} while ${phase}`)
  if (ready !== instance.isReady) refuse('ready is not what health says')
  for (const { name, state, pid } of services) {
    if (phase === 'ended' && pid !== null) refuse(`${name} has a process after the end`)
    if (state === 'ready' && pid === null) refuse(`${name} is ready without a process`)
    if (state === 'ready' && pid !== null && pid <= 1) refuse(`${name} is ready as process ${pid}`)
  }
  // What a failed change still owes, and says so.
  const isOwed = (name: string): boolean => problems.some(({ unit }) => unit === name)
  if (phase === 'running')
    for (const { name, state } of units.filter(({ kind }) => kind === 'task'))
      if (['waiting', 'failed'].includes(state) || (state === 'running' && !isOwed(name)))
        refuse(`${name} is ${state} while running`)
}
