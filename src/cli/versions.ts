import { renderTable } from '../core/table.ts'
import { readAppVersion, readServedVersion } from '../units/manifest.ts'
import { type KeptDatabase, listKept } from '../units/mathesar/kept.ts'
import { asSuperuser } from '../units/postgres/connection.ts'
import { openOperation } from './operation.ts'

const inWords = (kept: readonly KeptDatabase[]): string => {
  if (kept.length === 0) return 'No internal database of another version is kept: there was no upgrade yet.'
  const rows = kept.map(({ version, at, bytes, name }) => [
    version,
    at.slice(0, 16).replace('T', ' '),
    `${Math.ceil(bytes / 1048576)} MiB`,
    name,
  ])
  return `Internal databases that are kept, for an older image with ON_DOWNGRADE=return:\n${renderTable([
    ['MATHESAR', 'KEPT AT (UTC)', 'SIZE', 'DATABASE'],
    ...rows,
  ])}`
}

/** What an older or newer image could go on with. */
export const run = async (args: readonly string[]): Promise<number> => {
  const scope = await openOperation()
  const image = readAppVersion(scope)
  const served = readServedVersion(scope) ?? null
  const kept = scope.inForce.database.kind === 'embedded' ? await asSuperuser(scope, listKept) : []
  const text = args.includes('--json')
    ? JSON.stringify({ image, served, kept }, null, 2)
    : `This image has Mathesar ${image ?? '(unknown)'}; ${served ?? 'none'} served last.\n${inWords(kept)}`
  process.stdout.write(`${text}\n`)
  return 0
}
