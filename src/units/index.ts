import { dependenciesOf, inStartOrder } from '../core/graph.ts'
import { certificate } from './door/certificate.ts'
import { doorConfig } from './door/config.ts'
import { door } from './door/server.ts'
import { upstream } from './door/upstream.ts'
import { listener } from './listener.ts'
import { manifest } from './manifest.ts'
import { administrator } from './mathesar/administrator.ts'
import { config } from './mathesar/files.ts'
import { key } from './mathesar/key.ts'
import { migrations } from './mathesar/migrations.ts'
import { mathesar } from './mathesar/server.ts'
import { userDatabases } from './mathesar/user-databases.ts'
import { cluster } from './postgres/cluster.ts'
import { collations } from './postgres/collations.ts'
import { serverConfig } from './postgres/config.ts'
import { proof } from './postgres/proof.ts'
import { database } from './postgres/roles.ts'
import { postgres } from './postgres/server.ts'
import { sync } from './postgres/sync.ts'
import { secrets } from './secrets.ts'
import type { Unit, UnitName } from './unit.ts'
import { volume } from './volume.ts'

/**
 * What the image runs. Each unit starts as soon as what it needs is there, side by side with the rest;
 * `src/README.md` has the picture.
 */
export const units: readonly Unit[] = inStartOrder<Unit>([
  listener,
  volume,
  config,
  secrets,
  upstream,
  certificate,
  doorConfig,
  door,
  cluster,
  serverConfig,
  sync,
  postgres,
  proof,
  database,
  collations,
  manifest,
  key,
  migrations,
  administrator,
  userDatabases,
  mathesar,
])

/** The unit and everything that it depends on. */
export const unitsUpTo = (name: UnitName): readonly Unit[] => {
  const wanted = new Set<string>()
  const visit = (unit: string): void => {
    wanted.add(unit)
    dependenciesOf(units.find((other) => other.name === unit)!).forEach(visit)
  }
  visit(name)
  return units.filter((unit) => wanted.has(unit.name))
}
