import { SupervisorError } from '../errors.ts'
import type { Archives } from '../page/archive.ts'
import type { Parts } from './parts.ts'

export type { Archive } from '../page/archive.ts'

/** What a page can show of `list`: the archives, or why there are none to show. */
export const readArchives = async ({ archives }: Pick<Parts, 'archives'>): Promise<Archives> => {
  try {
    return await archives.list()
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    return `${error.message}. ${error.hint}`
  }
}
