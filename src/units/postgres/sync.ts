import { inVolume } from '../place.ts'
import { defineTask } from '../unit.ts'
import { unsyncedMark } from './cluster.ts'
import { runOnCluster } from './programs.ts'

/**
 * A new cluster is on the disk before anything is stored in it.
 * That takes the time that Postgres and Mathesar need to start.
 */
export const sync = defineTask({
  name: 'sync',
  needs: ['cluster'],
  description: 'waits until a new cluster is on the disk',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope, signal) => {
    const {
      system: { files },
      place,
    } = scope
    const { cluster } = inVolume(place.paths)
    if (!files.isThere(unsyncedMark(cluster))) return undefined
    await runOnCluster(scope, 'sync', cluster, ['sync', '--file-system', '.'], signal)
    files.removeWhole(unsyncedMark(cluster))
    return undefined
  },
})
