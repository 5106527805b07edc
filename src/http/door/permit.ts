import { SupervisorError } from '../../errors.ts'
import { hostRefusal, withHost } from '../../settings/hosts.ts'
import { itemsOf } from '../../settings/kinds.ts'
import { type Exchange, readForm, redirect } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { prove } from './code.ts'
import { sendRefused } from './page.ts'
import { isSameOrigin } from './same-origin.ts'

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

/** Permits the name that the visitor came by, for who gives the setup code. */
export const postPermit = async (
  exchange: Exchange,
  parts: Pick<Parts, 'config' | 'setup'>,
): Promise<void> => {
  const { request } = exchange
  const refusal = hostRefusal(request.headers.host)
  if (refusal?.kind !== 'host' || !isSameOrigin(request)) return sendRefused(exchange, parts)
  const proof = prove(exchange, parts.setup.owner, (await readForm(exchange)).get('code') ?? '')
  switch (proof.is) {
    case 'wrong':
    case 'unheard':
      return sendRefused(exchange, parts, { problem: proof.is })
    case 'over':
      return sendRefused(exchange, parts)
    case 'right':
  }
  try {
    await permit(refusal.host, parts)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    return sendRefused(exchange, parts, { error: `${error.message}. ${error.hint}` })
  }
  redirect(exchange, '/')
}
