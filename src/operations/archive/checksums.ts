import { createHash } from 'node:crypto'
import { damaged, type Entry } from './tar.ts'

/** The last file of an archive, as `sha256sum --check` reads it: a line for each file before it. */
export const checksumsName = 'SHA256SUMS'

/** Remembers the checksum of each file, in their order. */
export class Checksums {
  #lines = ''

  add({ name, data }: Entry): void {
    this.#lines += `${createHash('sha256').update(data).digest('hex')}  ${name}\n`
  }

  entry(): Entry {
    return { name: checksumsName, data: Buffer.from(this.#lines) }
  }

  /** Throws unless a list names just these files with just these contents. */
  require({ data }: Entry): void {
    if (data.toString('latin1') === this.#lines) return
    const [told, found] = [data.toString('latin1').split('\n'), this.#lines.split('\n')]
    const at = found.findIndex((line, index) => line !== told[index])
    const name = found[at]?.slice(66) || told[at]?.slice(66) || checksumsName
    throw damaged(`${name} was altered`)
  }
}
