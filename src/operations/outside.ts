import type { InForce } from '../settings/configuration.ts'

/** What Mathesar keeps where no backup of the volume finds it. */
export const outsideOf = ({ files, settings }: Pick<InForce, 'files' | 'settings'>): readonly string[] => {
  const { FILE_STORAGE_DICT, DATA_FILES_STORAGE_BACKEND: imported = 'local' } = settings
  const hasFile = files['file_storage.yml'] !== undefined
  const where = hasFile ? 'file_storage.yml' : FILE_STORAGE_DICT && 'FILE_STORAGE_DICT'
  return [
    ...(where === undefined ? [] : [`the files of people's tables, which are in the storage of ${where}`]),
    ...(imported === 'local'
      ? []
      : [`the files that tables were imported from (DATA_FILES_STORAGE_BACKEND=${imported.slice(0, 80)})`]),
  ]
}

/** In a sentence; `undefined` where there are none. */
export const outsideInWords = (outside: readonly string[] = []): string | undefined =>
  outside.length === 0
    ? undefined
    : `Not in this archive: ${outside.join('; ')}. They need a backup of their own.`
