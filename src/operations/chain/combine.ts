import { asPostgres } from '../../units/postgres/programs.ts'
import { runToEnd } from '../programs.ts'
import type { OperationScope } from '../scope.ts'

/**
 * Makes one cluster, in an empty folder, of those of a chain, the full one first. Postgres's own program does
 * it: it compares where each ends and the next begins, and writes a manifest of what comes out.
 */
export const combine = (scope: OperationScope, links: readonly string[], cluster: string): Promise<void> =>
  runToEnd(scope, {
    what: 'use this archive',
    // All of it is synced as a whole later.
    command: asPostgres(scope.place, ['pg_combinebackup', '--no-sync', '--output', cluster, ...links]),
    code: 'BACKUP_DAMAGED',
  })
