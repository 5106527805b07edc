import { renderTable } from '../core/table.ts'
import { withClient } from '../system/postgres.ts'
import { reads } from '../system/system.ts'
import { readAppVersion, readServedVersion } from '../units/manifest.ts'
import { type KeptDatabase, listKept } from '../units/mathesar/kept.ts'
import { inVolume, type Paths } from '../units/place.ts'
import { embeddedAs, superuserDatabase, superuserStart } from '../units/postgres/connection.ts'
import { readOwnSetup } from './own.ts'

const readKept = async (paths: Paths): Promise<readonly KeptDatabase[]> => {
  const password = reads.files.readIfThere(`${inVolume(paths).secrets}/postgres_password`)
  const way = { ...embeddedAs({ paths }, 'postgres', superuserDatabase), options: superuserStart, password }
  return await withClient([way], listKept)
}

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
  const { place, configuration } = await readOwnSetup()
  const looks = { system: { files: reads.files, log: { say: () => {} } }, place }
  const image = readAppVersion(looks)
  const served = readServedVersion(looks) ?? null
  const kept = configuration.database.kind === 'embedded' ? await readKept(place.paths) : []
  const text = args.includes('--json')
    ? JSON.stringify({ image, served, kept }, null, 2)
    : `This image has Mathesar ${image ?? '(unknown)'}; ${served ?? 'none'} served last.\n${inWords(kept)}`
  process.stdout.write(`${text}\n`)
  return 0
}
