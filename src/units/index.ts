import { inStartOrder } from '../core/graph.ts'
import { cluster } from './postgres/cluster.ts'
import { config } from './mathesar/files.ts'
import { database } from './postgres/roles.ts'
import { listener } from './listener.ts'
import { mathesar } from './mathesar/server.ts'
import { migrations } from './mathesar/migrations.ts'
import { postgres } from './postgres/server.ts'
import { secrets } from './secrets.ts'
import { sync } from './postgres/sync.ts'
import { volume } from './volume.ts'

/**
 * What the image runs. Each unit starts as soon as what it needs is there, side by side with the rest:
 *
 *   volume → secrets → cluster ─┬→ postgres → database → migrations
 *     │         │             └→ sync ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┐     ┊
 *     │         └──────────────────→ mathesar (imports now) serves after them
 *     └─→ config ─┬──────────────────↑
 *       listener ─┘
 */
export const units = inStartOrder([
  listener,
  volume,
  config,
  secrets,
  cluster,
  sync,
  postgres,
  database,
  migrations,
  mathesar,
])
