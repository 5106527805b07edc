import { firstFew } from '../../core/message.ts'
import { inVolume } from '../place.ts'
import type { Scope } from '../unit.ts'

const fileName = 'postgresql.auto.conf'
const fileLimitBytes = 64 * 1024

/** Parameters that somebody set by ALTER SYSTEM. Their values may be secrets. */
const parametersSet = (text: string): readonly string[] =>
  [...text.matchAll(/^[ \t]*([A-Za-z_][\w.]{0,62})/gm)].map(([, name = '']) => name)

/**
 * What to type when what ALTER SYSTEM has set may keep Postgres from starting or from serving: it wins over
 * our configuration, and no server runs to take it back. `undefined` where nothing was set.
 */
export const alterSystemHint = ({ system, place }: Scope<never>): string | undefined => {
  const path = `${inVolume(place.paths).cluster}/${fileName}`
  try {
    const names = parametersSet(system.files.readForeign(path, fileLimitBytes)?.toString('latin1') ?? '')
    if (names.length === 0) return undefined
    const which = names.length === 1 ? names[0] : 'NAME'
    return (
      `ALTER SYSTEM has set ${firstFew(names, (name) => name).join(', ')}. If that is the cause, remove ` +
      `its line: \`docker run --rm --volumes-from CONTAINER --entrypoint sed IMAGE -i ` +
      `'/^${which}\\>/d' ${path}\`, and start again.`
    )
  } catch {
    return `Look at ${path}: it cannot be read, and Postgres reads it at each start.`
  }
}
