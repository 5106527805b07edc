import { inRun } from '../place.ts'
import { defineTask } from '../unit.ts'

/**
 * Hands Mathesar the files that it reads by itself. It gets copies, and only checked ones: it would act on a
 * bad file_storage.yml at the next request, before anybody could refuse it.
 */
export const config = defineTask({
  name: 'config',
  needs: ['volume'],
  description: 'hands Mathesar the checked sso.yml and file_storage.yml',
  run: async ({ system: { files }, place, inForce }) => {
    const { app } = inRun(place.paths)
    for (const name of ['sso.yml', 'file_storage.yml'] as const) {
      const text = inForce.files[name]
      const path = `${app}/${name}`
      if (text === undefined) files.remove(path)
      // The folder keeps others out.
      else if (files.readIfThere(path) !== text) files.writeWhole(path, text, 0o644)
    }
    return undefined
  },
})
