import { Backups } from '../daemon/backups.ts'
import { Certificates } from '../daemon/certificates.ts'
import type { Config } from '../daemon/config/config.ts'
import type { Instance } from '../daemon/instance.ts'
import { PastKeeper } from '../daemon/past.ts'
import { Proving } from '../daemon/proving.ts'
import { UndoKeeper } from '../daemon/undo.ts'
import { Updates } from '../daemon/updates.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import { ownProgram } from './boot-again.ts'

/** What goes on beside the units, in its own time, as long as the container runs. */
export const createBeside = (system: System, place: Place, instance: Instance, config: Config) => {
  const tools = { system, place, instance, program: ownProgram() }
  const certificates = new Certificates(system, instance, config.changes)
  const whenCleared = async (): Promise<void> => await instance.results['user-databases']?.ended
  const past = new PastKeeper({ ...tools, whenCleared })
  const backups = new Backups(tools)
  const updates = new Updates(tools)
  const proving = new Proving(tools)
  const undo = new UndoKeeper({ ...tools, past })
  return {
    certificates,
    backups,
    updates,
    undo,
    past,
    /** Once Mathesar is ready. */
    start: (): void => {
      for (const each of [backups, updates, undo, proving]) each.start()
    },
    close: (): void => {
      for (const each of [certificates, updates, undo, past, proving]) each.close()
    },
  }
}
