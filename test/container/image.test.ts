import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { describeContainer, image, leanImage, mustDocker } from '../helpers/docker.ts'

/** Runs a shell script as root in an image, without the supervisor. Resolves with stdout. */
const inside = (name: string, script: string): Promise<string> =>
  mustDocker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', name, '-c', script)

/** What lies in the image's own file system. Volumes, /dev and /proc are others. */
const find = (name: string, what: string): Promise<string> => inside(name, `find / -xdev ${what} | sort`)

/**
 * Files of what no container needs: Debian's way of keeping clusters, JIT, certificates for tests, package
 * managers, logins, all of Perl, Python's windows and headers, what sets up a network.
 */
const unneeded = [
  'pg_createcluster',
  'pg_ctlcluster',
  'pg_wrapper',
  'libLLVM*',
  'llvmjit*',
  'make-ssl-cert',
  'ssl-cert-snakeoil*',
  'apt-get',
  'libapt-pkg*',
  'dpkg',
  'dpkg-deb',
  'debconf',
  'adduser',
  'useradd',
  'chsh',
  'login',
  'mount',
  'umount',
  'unix_chkpwd',
  'libperl.so*',
  'perl5db.pl',
  'perldoc',
  'locale-gen',
  'pip3',
  'pip-*.whl',
  '_tkinter*',
  'Python.h',
  'tc',
]

const programs = {
  tools: [
    'awk',
    'bash',
    'cp',
    'editor',
    'find',
    'grep',
    'nano-tiny',
    'pager',
    'perl',
    'ps',
    'sed',
    'setpriv',
    'sync',
    'tar',
    'which',
    'xargs',
    'zstd',
  ],
  clients: ['psql', 'pg_dump', 'pg_dumpall', 'pg_restore', 'pg_basebackup', 'pg_isready'],
  servers: ['postgres', 'initdb', 'pg_ctl', 'pg_controldata', 'pg_resetwal'],
}

type Lists = {
  readonly cyclonedx: {
    readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[]
  }
  readonly spdx: {
    readonly packages: readonly { readonly externalRefs: readonly Reference[] }[]
    readonly relationships: readonly unknown[]
  }
}
type Reference = { readonly referenceType: string; readonly referenceLocator: string }

const purlIn = ({ referenceType, referenceLocator }: Reference): string | undefined =>
  referenceType === 'purl' ? referenceLocator : undefined
const isText = (value: string | undefined): value is string => value !== undefined

const readLists = async (name: string): Promise<Lists> => {
  const text = await inside(
    name,
    'cd /usr/share/sbom && cat mathesar-one.cdx.json; echo; cat mathesar-one.spdx.json',
  )
  const [cyclonedx, spdx] = text.split(/\n\n/).map((document) => JSON.parse(document) as unknown)
  return { cyclonedx, spdx } as Lists
}

const ofType = ({ components }: Lists['cyclonedx'], type: string): readonly string[] =>
  components
    .filter(({ purl }) => purl.startsWith(`pkg:${type}/`))
    .map(({ name, version }) => `${name} ${version}`)
    .sort()

/** The packages that are there, as `name version`: by dpkg's list, by Python itself, by our lock. */
const findPackages = async (name: string) => {
  const python =
    'import importlib.metadata, platform; print(platform.python_version()); ' +
    '[print(found.metadata["Name"], found.version) for found in importlib.metadata.distributions()]'
  const [interpreter, ...packages] = (await inside(name, `python3 -c '${python}'`)).split('\n')
  const awk = '/^Package:/{name=$2} /^Version:/{print name, $2}'
  const { dependencies } = readProject('package.json') as { dependencies: Readonly<Record<string, string>> }
  const lock = readProject('package-lock.json') as {
    packages: Readonly<Record<string, { readonly version: string }>>
  }
  return {
    debian: (await inside(name, `awk '${awk}' /var/lib/dpkg/status`)).split('\n').sort(),
    interpreter,
    python: packages.sort(),
    node: (await inside(name, '/usr/local/lib/supervisor/node --version')).slice(1),
    locked: new Set(
      Object.entries(lock.packages).map(
        ([path, { version }]) => `${path.replace(/^.*node_modules\//, '')} ${version}`,
      ),
    ),
    // esbuild makes the bundle, and is not in it.
    direct: Object.entries(dependencies)
      .filter(([dependency]) => dependency !== 'esbuild')
      .map(([dependency, version]) => `${dependency} ${version}`),
  }
}
const readProject = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))

const slowPostgres = `#!/bin/sh
trap 'sleep 6; kill -INT $server' INT
/usr/lib/postgresql/17/bin/postgres "$@" & server=$!
while kill -0 $server 2> /dev/null; do wait $server; done`

describeContainer('an image', () => {
  describe.each([
    {
      kind: 'full',
      name: image,
      has: [...programs.tools, ...programs.clients, ...programs.servers],
      lacks: [],
    },
    { kind: 'lean', name: leanImage, has: [...programs.tools, ...programs.clients], lacks: programs.servers },
  ])('($kind)', ({ kind, name, has, lacks }) => {
    it('has no file that runs as another user or group than the one who starts it', async () => {
      expect(await find(name, '-perm /6000')).toBe('')
    })

    it('lets everybody write to the volume, /run and the temporary folders alone', async () => {
      expect(await find(name, '! -type l -perm -0002')).toBe(
        ['/run', '/tmp', '/var/lib/mathesar', '/var/tmp'].join('\n'),
      )
      expect(await find(name, '-type d -perm -0002 ! -perm -1000')).toBe('')
    })

    it('is owned by root, whoever owned it in the image of Mathesar', async () => {
      expect(await find(name, '-path /var/lib/mathesar -prune -o ! -uid 0 -print')).toBe('')
      expect(
        await inside(name, 'test -e /code/static/admin/css/base.css && readlink /code/login_page.yml'),
      ).toBe('/run/mathesar/app/login_page.yml')
    })

    it('has nothing that no container needs', async () => {
      expect(
        await find(name, `\\( ${unneeded.map((file) => `-name '${file}'`).join(' -o ')} \\) -type f`),
      ).toBe('')
    })

    it('has each user in its own group alone', async () => {
      expect((await inside(name, 'id postgres; id mathesar')).split('\n')).toEqual([
        'uid=5432(postgres) gid=5432(postgres) groups=5432(postgres)',
        'uid=8000(mathesar) gid=8000(mathesar) groups=8000(mathesar)',
      ])
      expect(await find(name, '\\( -nouser -o -nogroup \\)')).toBe('')
    })

    it('has the programs that people and the supervisor call, and all their libraries', async () => {
      expect(
        await inside(
          name,
          `for program in ${[...has, ...lacks].join(' ')}; do command -v $program > /dev/null || ` +
            'echo $program; done',
        ),
      ).toBe(lacks.join('\n'))
      await inside(
        name,
        '/usr/local/lib/supervisor/node --version && psql --version && pg_dump --version && ' +
          'supervisor version',
      )
      expect(
        await inside(
          name,
          `find /usr/bin /usr/sbin /usr/lib -type f ! -path '*/gconv/*' \\( -perm /111 -o -name ` +
            `'*.so*' \\) -exec ldd {} + 2> /dev/null | grep 'not found' || :`,
        ),
      ).toBe('')
    })

    it('has a Python that finds its libraries, public certificates and a locale', async () => {
      const script =
        'import ctypes, locale, sqlite3, ssl, zoneinfo; locale.setlocale(locale.LC_ALL, ""); ' +
        'zoneinfo.ZoneInfo("Europe/Berlin"); ' +
        'print(ssl.create_default_context().cert_store_stats()["x509_ca"])'
      expect(Number(await inside(name, `python3 -c '${script}'`))).toBeGreaterThan(100)
    })

    it('tells which packages of Debian it has, for tools that look for vulnerable ones', async () => {
      const packages = (
        await inside(name, "sed -n 's/^Package: //p' /var/lib/dpkg/status | LC_ALL=C sort")
      ).split('\n')
      expect(packages.join('\n')).toBe(
        await inside(name, "cd /var/lib/dpkg/info && ls *.list | sed 's/.list$//' | LC_ALL=C sort"),
      )
      expect(packages).toEqual(
        expect.arrayContaining(['base-files', 'libc6', 'libssl3t64', 'postgresql-client-17']),
      )
      expect(packages.includes('postgresql-17')).toBe(kind === 'full')
    })

    it('lists what it contains as SPDX and as CycloneDX', async () => {
      const { cyclonedx, spdx } = await readLists(name)
      const listed = cyclonedx.components.map(({ purl }) => purl)
      expect(new Set(listed).size).toBe(listed.length)
      expect(spdx.packages.flatMap(({ externalRefs }) => externalRefs.map(purlIn)).filter(isText)).toEqual(
        listed,
      )
      expect(spdx.relationships).toHaveLength(spdx.packages.length)
      const found = await findPackages(name)
      expect(ofType(cyclonedx, 'deb')).toEqual(found.debian)
      expect(ofType(cyclonedx, 'pypi')).toEqual(found.python)
      expect(ofType(cyclonedx, 'generic')).toEqual([`node ${found.node}`, `python ${found.interpreter}`])
      const bundled = ofType(cyclonedx, 'npm')
      expect(bundled.filter((item) => !found.locked.has(item))).toEqual([])
      expect(found.direct.filter((item) => !bundled.includes(item))).toEqual([])
    })

    it('says how it is to be run', async () => {
      const config = JSON.parse(
        await mustDocker('image', 'inspect', '--format', '{{json .Config}}', name),
      ) as Readonly<Record<string, unknown>>
      expect(config).toMatchObject({
        Entrypoint: ['/usr/local/bin/supervisor'],
        Cmd: ['run'],
        WorkingDir: '/code',
        StopSignal: 'SIGTERM',
        ExposedPorts: { '8000/tcp': {} },
        Volumes: { '/var/lib/mathesar': {} },
        Healthcheck: { Test: ['CMD', 'supervisor', 'health'], Retries: 3 },
        Env: [
          expect.stringMatching(/^PATH=.*:\/usr\/lib\/postgresql\/17\/bin$/),
          'LANG=C.UTF-8',
          'PERL_BADLANG=0',
          'PYTHONUNBUFFERED=1',
          'PYTHONDONTWRITEBYTECODE=1',
          'DJANGO_SETTINGS_MODULE=config.settings.production',
        ],
        Labels: {
          'org.opencontainers.image.title': 'Mathesar in one container',
          'org.opencontainers.image.licenses': 'GPL-3.0-only',
          'org.opencontainers.image.version': expect.any(String),
          'org.opencontainers.image.revision': expect.any(String),
        },
      })
    })
  })

  it('is made on a busy machine, too, where Postgres takes long to stop', async () => {
    const script = `mkdir /tmp/bin && ln -s /usr/lib/postgresql/17/bin/* /tmp/bin/ && rm /tmp/bin/postgres
cat > /tmp/bin/postgres << 'END'
${slowPostgres}
END
chmod 755 /tmp/bin/postgres && SUPERVISOR_POSTGRES_BIN=/tmp/bin supervisor bake`
    expect(await inside(image, script)).toContain('baked /usr/local/share/supervisor')
  })
})
