/** A request that tells somebody. */
export type Message = {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What is told. Texts without secrets. */
type Notice = {
  readonly unit: string
  readonly code: string
  readonly message: string
  readonly hint: string
  /** Where people open Mathesar. */
  readonly url: string
  /** ISO 8601. */
  readonly at: string
}

/** What is sent to a URL, by its scheme, and the scheme of the request itself. */
const schemes: Readonly<
  Record<string, readonly [form: 'webhook' | 'ntfy' | 'ping', scheme: 'http' | 'https']>
> = {
  'https:': ['webhook', 'https'],
  'http:': ['webhook', 'http'],
  'ntfy:': ['ntfy', 'https'],
  'ntfy+https:': ['ntfy', 'https'],
  'ntfy+http:': ['ntfy', 'http'],
  'ping+https:': ['ping', 'https'],
  'ping+http:': ['ping', 'http'],
}

const parse = (text: string) => {
  const [, scheme = '', rest = ''] = /^([a-z+]+:)\/\/(\S+)$/.exec(text) ?? []
  const found = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined
  if (found === undefined || !URL.canParse(`${found[1]}://${rest}`)) return undefined
  return { form: found[0], url: new URL(`${found[1]}://${rest}`) }
}

/** What the user and password of a URL say: a token alone stands where the password does. */
const credentialsOf = ({ username, password }: URL): Readonly<Record<string, string>> => {
  const user = decodeURIComponent(username)
  const secret = decodeURIComponent(password)
  if (user === '' && secret === '') return {}
  const basic = `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`
  return { authorization: user === '' ? `Bearer ${secret}` : basic }
}

/** Why the user and password of a URL cannot be sent. */
const whyNotSent = (url: URL): string | undefined => {
  try {
    const { authorization = '' } = credentialsOf(url)
    return /^[ -~]*$/.test(authorization) ? undefined : 'the value has a token that no request can carry'
  } catch {
    return 'the value holds a % that begins no escape: type %25 for it'
  }
}

/** Why a text is not a NOTIFY_URL. Never repeats it: a URL may hold a token. */
export const whyNotNotifyUrl = (text: string): string | undefined => {
  const parsed = parse(text)
  if (parsed === undefined) return 'the value is not an https://…, ntfy://… or ping+https://… address'
  const hasTopic = parsed.form !== 'ntfy' || /^\/[\w-]+$/.test(parsed.url.pathname)
  return hasTopic ? whyNotSent(parsed.url) : 'the value names no topic: ntfy://ntfy.sh/TOPIC'
}

/** The request that tells of a problem. Throws where `whyNotNotifyUrl` has a reason. */
export const messageFor = (target: string, notice: Notice): Message => {
  const { form, url } = parse(target)!
  const credentials = credentialsOf(url)
  url.username = ''
  url.password = ''
  const text = `Mathesar: ${notice.message}${notice.hint === '' ? '' : `\n${notice.hint}`}`
  switch (form) {
    case 'ping':
      return { method: 'GET', url: url.href, headers: credentials, body: '' }
    case 'ntfy':
      return {
        method: 'POST',
        url: url.href,
        headers: { ...credentials, title: `Mathesar: ${notice.code}`, priority: 'high', tags: 'warning' },
        body: text,
      }
    case 'webhook':
      return {
        method: 'POST',
        url: url.href,
        headers: { ...credentials, 'content-type': 'application/json' },
        // Slack, Mattermost and others show `text`, Discord `content`.
        body: JSON.stringify({ text, content: text, ...notice }),
      }
  }
}
