import { mathesarHandover } from '../../units/place.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'

/** The door waits for 60 s. */
const wakeLimitMs = 50_000

/** Wakes Mathesar where it sleeps; whether it serves within the time that a visitor waits. */
export const wakeForVisitor = async ({
  instance,
  after,
}: Pick<ControlOptions, 'instance' | 'after'>): Promise<boolean> => {
  if (!instance.sleeper.isAsleep) return instance.isServing
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const cancel = after(wakeLimitMs, resolve)
  await Promise.race([instance.sleeper.wake().catch(() => {}), late]) // The status says why it does not.
  cancel()
  return instance.isServing
}

/** The door asks Mathesar again. It has kept the method and the body. */
export const handOn = ({ response }: Exchange): void =>
  void response.writeHead(200, { 'x-accel-redirect': mathesarHandover }).end()
