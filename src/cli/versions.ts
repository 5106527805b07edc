import { inWholeMiB } from '../core/amounts.ts'
import { minuteOf } from '../core/moment.ts'
import { renderTable } from '../core/table.ts'
import { readAppVersion, readServedVersion } from '../units/manifest.ts'
import { findSince, type KeptDatabase, listKept } from '../units/mathesar/kept.ts'
import { asSuperuser } from '../units/postgres/connection.ts'
import { readFlag } from './arguments.ts'
import { wakeDatabase } from './own.ts'
import { openOperation } from './operation.ts'

type Kept = KeptDatabase & {
  /** The file that says what it has that the one in its place lacks. */
  readonly since: string | null
}

const inWords = (kept: readonly Kept[]): string => {
  if (kept.length === 0) return 'No internal database of another version is kept: there was no upgrade yet.'
  const rows = kept.map(({ version, at, bytes, name, since }) => [
    version,
    minuteOf(at),
    inWholeMiB(bytes),
    name,
    since ?? '-',
  ])
  return `Internal databases that are kept, for an older image with ON_DOWNGRADE=return:\n${renderTable([
    ['MATHESAR', 'KEPT AT (UTC)', 'SIZE', 'DATABASE', 'ADDED SINCE THE UPGRADE'],
    ...rows,
  ])}`
}

/** What an older or newer image could go on with. */
export const run = async (args: readonly string[]): Promise<number> => {
  const isJson = readFlag('versions', args, 'json')
  const scope = await openOperation()
  const image = readAppVersion(scope)
  const served = readServedVersion(scope) ?? null
  const first = `This image has Mathesar ${image ?? '(unknown)'}; ${served ?? 'none'} served last.\n`
  if (!isJson) process.stdout.write(first)
  await wakeDatabase(scope, 'tell what is kept', 'versions')
  const found = scope.inForce.database.kind === 'embedded' ? await asSuperuser(scope, listKept) : []
  const kept = found.map((each) => ({ ...each, since: findSince(scope, each) ?? null }))
  const text = isJson ? JSON.stringify({ image, served, kept }, null, 2) : inWords(kept)
  process.stdout.write(`${text}\n`)
  return 0
}
