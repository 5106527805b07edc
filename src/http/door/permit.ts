import { SupervisorError } from '../../errors.ts'
import { words } from '../../page/words.ts'
import { hostRefusal, withHost } from '../../settings/hosts.ts'
import { itemsOf } from '../../settings/kinds.ts'
import { type Exchange, readForm, redirect } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { prove, tellWhen } from './code.ts'
import type { Proof } from './sign-in.ts'
import { sendRefused } from './page.ts'
import { isSameOrigin } from './same-origin.ts'
import { waitForMathesar, type WaitParts } from './wake.ts'

const permit = async (host: string, { config: { changes } }: Pick<Parts, 'config'>): Promise<void> => {
  const { version, values } = changes.current
  const hosts = itemsOf(values.ALLOWED_HOSTS.value ?? '')
  await changes.propose({
    from: 'page',
    kind: 'set',
    base: version,
    set: { ALLOWED_HOSTS: withHost(hosts, host).join(',') },
  })
}

type PermitParts = WaitParts & Pick<Parts, 'config' | 'setup' | 'administrators' | 'log'>

/**
 * Whether the setup code counts. At the very beginning the database has not yet said whether there is an
 * administrator; its answer closes the code.
 */
const takesCode = async ({ setup }: Pick<Parts, 'setup'>): Promise<boolean> => {
  if (setup.signIn.isOpen) await setup.isDone().catch(() => {})
  return setup.signIn.isOpen
}

/** Who may: the owner of a new Mathesar by the setup code, and of one that is set up an administrator. */
const readProof = async (
  exchange: Exchange,
  parts: PermitParts,
  byCode: boolean,
): Promise<Proof | { readonly is: 'away' }> => {
  const form = await readForm(exchange)
  const fieldOf = (name: string): string => form.get(name) ?? ''
  if (byCode) return prove(exchange, parts.setup.signIn, fieldOf('code'))
  try {
    const isServing = (): Promise<boolean> => waitForMathesar(parts)
    const [username, password] = [fieldOf('username'), fieldOf('password')]
    const proof = await parts.administrators.prove(username, password, isServing)
    return proof.is === 'away' ? proof : tellWhen(exchange, proof)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    // What a database says names users and addresses, and whoever asks here is a stranger.
    parts.log.say('warn', `cannot look at the login of who asks for a name: ${error.message}`)
    return { is: 'away' }
  }
}

/** Permits the name that the visitor came by, for who may. */
export const postPermit = async (exchange: Exchange, parts: PermitParts): Promise<void> => {
  const { request } = exchange
  const refuse = (problem?: string): void => sendRefused(exchange, parts, problem)
  const refusal = hostRefusal(request.headers.host)
  if (refusal?.kind !== 'host' || !isSameOrigin(request)) return refuse()
  const byCode = await takesCode(parts)
  const { problems } = byCode ? words.setup : words.refused
  try {
    const proof = await readProof(exchange, parts, byCode)
    if (proof.is === 'over') return refuse()
    if (proof.is === 'away') return refuse(words.refused.problems.away)
    if (proof.is !== 'right') return refuse(problems[proof.is])
    await permit(refusal.host, parts)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    return refuse(`${error.message}. ${error.hint}`)
  }
  redirect(exchange, '/')
}
