import type { TaskUnit } from '../../core/unit.ts'
import { runOnCluster, unsyncedMark } from './cluster.ts'
import { type Context, inVolume } from '../place.ts'

/** A new cluster is on the disk before anything is stored in it. It takes the time that Postgres and Mathesar need to start. */
export const sync: TaskUnit<Context> = {
  name: 'sync',
  kind: 'task',
  needs: ['cluster'],
  does: 'waits until a new cluster is on the disk',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (context, signal) => {
    const { paths, files } = context
    const { cluster } = inVolume(paths)
    if (!files.isThere(unsyncedMark(cluster))) return
    await runOnCluster(context, 'sync', cluster, ['sync', '--file-system', '.'], signal)
    files.removeWhole(unsyncedMark(cluster))
  },
}
