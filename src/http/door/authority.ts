import { SupervisorError } from '../../errors.ts'
import { type Exchange, send } from '../exchange.ts'
import type { Parts } from '../parts.ts'

/** The certificate of our own authority, for people to install. It is not a secret. */
export const getAuthority = (exchange: Exchange, { instance }: Pick<Parts, 'instance'>): void => {
  const authority = instance.results.certificate?.authority
  if (authority === undefined)
    throw new SupervisorError('UNIT_UNKNOWN', 'cannot give a certificate: there is no authority of our own', {
      hint: '`supervisor config set TLS=self-signed` makes one.',
    })
  // A browser that gets this type offers to install it.
  send(exchange, 200, 'application/x-x509-ca-cert', authority, { 'cache-control': 'no-store' })
}
