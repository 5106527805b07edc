import { type Invitation, SignIn, setupPurposes } from '../../http/door/sign-in.ts'
import { Setup } from '../../http/door/setup.ts'
import { hasAdministrator } from '../../units/mathesar/administrator.ts'
import { loadSampleData } from '../../units/mathesar/sample-data.ts'
import { setupPath } from '../../units/place.ts'
import { urlOf } from './report.ts'
import type { Core } from './running.ts'

const inWords = ({ code, expiresMs }: Invitation, link: string): string => {
  const until = new Date(expiresMs).toISOString().slice(11, 16)
  const typed = code === undefined ? 'the code of SETUP_CODE' : `the setup code ${code}`
  return `Nobody has set Mathesar up yet. Until ${until} UTC open ${link}\nor type there ${typed}.`
}

/**
 * Joins what stands before Mathesar's form for its first administrator with the log and the database.
 * `announce` says what a new installation waits for.
 */
export const createSetup = ({ system, place, instance }: Core) => {
  const { ADMIN_SETUP, SETUP_CODE } = instance.inForce.settings
  const linkOf = (key: string): string => `${new URL(setupPath, urlOf(instance)).href}#${key}`
  const signIn = new SignIn({
    purposes: setupPurposes,
    now: system.clock.now,
    randomText: system.randomText,
    given: SETUP_CODE,
    tell: (invitation) => system.log.say('info', inWords(invitation, linkOf(invitation.key))),
  })
  const setup = new Setup({
    signIn,
    ask: () => hasAdministrator({ system, place, inForce: instance.inForce }),
    onDone: async () => {
      const { volume, secrets } = instance.results
      if (volume === undefined || secrets === undefined) return
      await loadSampleData({ system, place, inForce: instance.inForce, results: { volume, secrets } })
    },
    after: system.clock.after,
    inBackground: system.inBackground,
  })
  /** Whether the door asks for the code, or lets everybody through to Mathesar's form. */
  const isGuarded = place.paths.nginx !== undefined && ADMIN_SETUP === 'code'
  const announce = async (): Promise<void> => {
    if (await setup.isDone()) return
    if (isGuarded) signIn.tell()
    else system.log.say('info', "The first visitor makes the administrator's account: open Mathesar now.")
  }
  const part = { signIn, linkOf, isDone: () => setup.isDone(), expect: () => setup.expect() }
  return { setup: part, announce }
}
