import type { TaskUnit } from '../../core/unit.ts'
import { type Context, inRun } from '../place.ts'

/**
 * Hands Mathesar the files that it reads by itself. It gets copies, and only checked ones: it would act on a bad file_storage.yml at the
 * next request, before anybody could refuse it.
 */
export const config: TaskUnit<Context> = {
  name: 'config',
  kind: 'task',
  needs: ['volume'],
  does: 'hands Mathesar the checked sso.yml and file_storage.yml',
  run: async ({ paths, configFiles, files }) => {
    const { app } = inRun(paths)
    for (const name of ['sso.yml', 'file_storage.yml'] as const) {
      const text = configFiles[name]
      const path = `${app}/${name}`
      if (text === undefined) files.remove(path)
      else if (files.readIfThere(path) !== text) files.writeWhole(path, text, 0o644) // The folder keeps others out.
    }
  },
}
