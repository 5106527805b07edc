import type { Configuration } from '../../../src/settings/configuration.ts'
import { inRun, inVolume, type Identities, type Place } from '../../../src/units/place.ts'
import type { Results } from '../../../src/units/results.ts'
import type { Scope } from '../../../src/units/unit.ts'
import { readFile } from '../configurations.ts'
import { createFakeSystem } from './system.ts'

/** Root, with a user for each service. */
export const rootIdentities: Identities = {
  supervisor: { name: 'root', uid: 0, gid: 0 },
  postgres: { name: 'postgres', uid: 101, gid: 102 },
  mathesar: { name: 'mathesar', uid: 8000, gid: 8001 },
  door: { name: 'door', uid: 8001, gid: 8002 },
}
/** A container that was started with `--user`. */
export const singleUser: Identities = {
  supervisor: { name: '1000', uid: 1000, gid: 0 },
  postgres: undefined,
  mathesar: undefined,
  door: undefined,
}

export const placeOf = (fields: Partial<Place> = {}): Place => ({
  paths: {
    data: '/data',
    run: '/run/m',
    app: '/code',
    share: '/share',
    gunicornConfig: '/etc/gunicorn.conf.py',
    postgresBin: '/usr/lib/postgresql/17/bin',
    pythonBin: '/usr/bin',
    nginx: undefined,
    brotliModule: undefined,
  },
  identities: rootIdentities,
  machine: { memoryBytes: 2 * 1024 ** 3, shmBytes: 64 * 1024 ** 2, cpus: 2, processes: 4096, oomScoreAdj: 0 },
  environment: {},
  ...fields,
})

const usualResults: Results = {
  listener: { fd: 10, address: '0.0.0.0', port: 8000 },
  volume: { isEphemeral: false, media: '/data/media', temporary: '/data/tmp', buffer: '/data/buffer' },
  upstream: { fd: 11, target: { socketPath: '/run/m/door/mathesar.sock' }, page: 12 },
  certificate: undefined,
  config: undefined,
  secrets: { secretKey: 'the secret key', isKeyPending: false, superuserPassword: 'the password' },
  cluster: { isFresh: false, wasShutDown: true },
  'server-config': undefined,
  'door-config': undefined,
  sync: undefined,
  proof: undefined,
  database: { version: '17.9', locale: 'und', collation: 'ICU 153.128', databases: [], stale: [] },
  collations: undefined,
  key: undefined,
  manifest: undefined,
  migrations: { brought: null },
  'user-databases': { ended: Promise.resolve() },
  administrator: undefined,
}

type Options = {
  readonly place?: Partial<Place>
  /** mathesar.env, or a whole configuration. */
  readonly config?: string | Configuration
  readonly results?: Partial<Results>
  /** Whether the unit runs in a boot, not in a change. */
  readonly isBoot?: boolean
}

/**
 * What a unit gets, on a system of which nothing is real. The folders of the volume and of the run are there.
 */
export const createScope = ({ place: fields, config = '', results, isBoot = true }: Options = {}) => {
  const fake = createFakeSystem()
  const place = placeOf(fields)
  const [volume, run] = [inVolume(place.paths), inRun(place.paths)]
  const {
    cluster: _c,
    lock: _l,
    holder: _h,
    beat: _be,
    manifest: _m,
    backups: _b,
    backupRecord: _br,
    promotion: _p,
    left: _le,
    restore: _r,
    operationLock: _o,
    ...folders
  } = volume
  for (const folder of [...Object.values(folders), ...Object.values(run)])
    fake.disk.files.makeFolder(folder, 0o700)
  fake.disk.acts.length = 0
  const inForce = typeof config === 'string' ? readFile(config, place.environment) : config
  const reports: (string | null)[] = []
  const scope: Scope = {
    system: fake.system,
    place,
    inForce,
    results: { ...usualResults, ...results },
    isBoot,
    report: (detail) => void reports.push(detail),
  }
  return { ...fake, scope, reports, volume, run }
}

/** A signal that never aborts. */
export const never = new AbortController().signal

export const externalDatabase = 'DATABASE_URL=postgres://joe:hunter2@db.example.org/app\n'
