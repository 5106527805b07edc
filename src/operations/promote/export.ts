import type { DatabaseUrl } from '../../settings/database-url.ts'
import { sharedSettings } from '../../settings/mathesar-versions.ts'
import type { Values } from '../../settings/table.ts'
import { forgetPromotion } from '../../units/promotion.ts'
import { carry } from './carry.ts'
import { listMoving } from './databases.ts'
import { readFinish } from './finish.ts'
import { copyTo, finish } from './promote.ts'
import type { MoveScope } from './source.ts'
import { serverInWords } from './target.ts'

/**
 * The theory of an export.
 *
 * It is a promotion without the change: the same copy, translation of numbers and proofs, and this
 * installation goes on as it was. Another Mathesar, of any image, starts on it with the settings that are
 * printed: they hold the key, without which it could not read the passwords that are stored.
 */

const quoted = (value: string): string => value.replaceAll("'", "\\'")

/** A line of an env file as Docker and Compose read it alike, where they do. */
export const envLine = (name: string, value: string): string =>
  /^[\w.,:@%+/*=[\]-]*$/.test(value)
    ? `${name}=${value}\n`
    : `# Compose takes the quotes away, \`docker run --env-file\` does not.\n${name}='${quoted(value)}'\n`

/** What people have set that another image reads, too. */
export const givenToOthers = (values: Values): readonly (readonly [string, string])[] =>
  sharedSettings.flatMap((name): [string, string][] => {
    const { value, source } = values[name]
    // JSON may have lines, and a value has one.
    return value === undefined || source === 'default' ? [] : [[name, value.replaceAll(/\s*\n\s*/g, ' ')]]
  })

const settingsFor = (scope: MoveScope, url: DatabaseUrl): string => {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['POSTGRES_HOST', url.host],
    ['POSTGRES_PORT', String(url.port)],
    ['POSTGRES_DB', url.name],
    ['POSTGRES_USER', url.user],
    ['POSTGRES_PASSWORD', url.password],
    ['POSTGRES_SSLMODE', url.sslmode],
    ['SECRET_KEY', scope.results.secrets.secretKey],
    ...givenToOthers(scope.inForce.values),
  ]
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [envLine(name, value)])).join('')
}

type Wish = {
  readonly say: (text: string) => void
  readonly seconds: number
}

/** Copies the installation to that server. Returns the settings with which another Mathesar starts on it. */
export const exportTo = async (
  scope: MoveScope,
  url: DatabaseUrl,
  { say, seconds }: Wish,
): Promise<string> => {
  const complete = async (to: DatabaseUrl): Promise<void> => {
    const inForce = { ...scope.inForce, database: { kind: 'external', ...to } } as const
    const warnings = await carry({ ...scope, inForce }, { say, seconds, isLeft: false })
    for (const what of warnings) say(`not carried: ${what}`)
  }
  const { there, unmark } = await copyTo(scope, url, { say, complete, isLeft: false })
  const toFinish = await readFinish(scope, await listMoving(scope))
  await finish(scope, { url: there, toFinish }, { say })
  await unmark()
  forgetPromotion(scope) // From here on somebody may work on it.
  say(
    `${serverInWords(url)} has a copy of everything, for another Mathesar; this one goes on as it was. ` +
      'Copy the folder media to it, too: what people have uploaded.',
  )
  return settingsFor(scope, there)
}
