import { SupervisorError } from '../../errors.ts'
import { hostRefusal, withHost } from '../../settings/hosts.ts'
import { itemsOf } from '../../settings/kinds.ts'
import { type Exchange, readForm, redirect } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import { prove } from './code.ts'
import { sendRefused } from './page.ts'
import { isSameOrigin } from './same-origin.ts'

const permit = async (host: string, { config: { changes } }: ControlOptions): Promise<void> => {
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
export const postPermit = async (exchange: Exchange, options: ControlOptions): Promise<void> => {
  const { request } = exchange
  const refusal = hostRefusal(request.headers.host)
  if (refusal?.kind !== 'host' || !isSameOrigin(request)) return sendRefused(exchange, options)
  const proof = prove(exchange, options.owner, (await readForm(exchange)).get('code') ?? '')
  switch (proof.is) {
    case 'wrong':
    case 'unheard':
      return sendRefused(exchange, options, { problem: proof.is })
    case 'over':
      return sendRefused(exchange, options)
    case 'right':
  }
  try {
    await permit(refusal.host, options)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    return sendRefused(exchange, options, { error: `${error.message}. ${error.hint}` })
  }
  redirect(exchange, '/')
}
