import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { missing, pythonBin } from '../helpers/daemon.ts'
import { freePort } from '../helpers/port.ts'
import { root } from '../../scripts/prepare.ts'

const names = ['clevercsv', 'cairosvg', 'fsspec', 'jwt', 'requests'] as const

const code = (name: string): string => `
import runpy
runpy.run_path(${JSON.stringify(join(root, 'rootfs/etc/mathesar/gunicorn.conf.py'))})
import ${name} as module
exec('import ${name}')
print('imported')
print(module.value)
from ${name}.part import other
print(other)
import gc
print(gc.isenabled())
`

/**
 * What a Django answers: one page takes a connection, one fails by itself, and one tells a batch of calls of
 * their failures one by one, once it is known who asks, as Mathesar's API does.
 */
const askDjango = (database: string): string => `
import io
import json
import runpy
from django.conf import settings
from django.db import connection
from django.http import JsonResponse
from django.urls import path

def ask(request):
    connection.cursor()

def fail(request):
    raise RuntimeError('a fault of its own')

def batch(request):
    request.session.get('_auth_user_id')
    return JsonResponse([{'id': each['id'], 'error': 1} for each in json.loads(request.body)], safe=False)

urlpatterns = [path('ask/', ask), path('fail/', fail), path('batch/', batch)]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], SECRET_KEY='none',
    INSTALLED_APPS=['django.contrib.sessions'],
    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware'],
    DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', ${database}}},
    LOGGING={'version': 1,
             'handlers': {'out': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}},
             'root': {'handlers': ['out'], 'level': 'WARNING'},
             'loggers': {'django': {'handlers': [], 'propagate': True}}},
)
from django.core.wsgi import get_wsgi_application
from wsgiref.util import setup_testing_defaults
away = runpy.run_path(${JSON.stringify(join(root, 'rootfs/etc/mathesar/database_away.py'))})
application = away['answer_without_database'](get_wsgi_application())
calls = json.dumps([{'jsonrpc': '2.0', 'id': n, 'method': 'users.list'} for n in (1, 2)]).encode()
for page in 'ask', 'fail', 'batch':
    environ = {'PATH_INFO': f'/{page}/', 'HTTP_COOKIE': 'sessionid=of-somebody'}
    if page == 'batch':
        environ |= {'REQUEST_METHOD': 'POST', 'CONTENT_LENGTH': str(len(calls))}
        environ |= {'wsgi.input': io.BytesIO(calls)}
    setup_testing_defaults(environ)
    print(b''.join(application(environ, lambda *answer: print(page, *answer))).decode().strip()[:40])
`

describe.skipIf(missing !== undefined)("gunicorn's configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), 'lazy-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each(names)('loads %s when something of it is used, and not before', async (name) => {
    const package_ = join(folder, name)
    await execa('mkdir', [package_])
    writeFileSync(join(package_, '__init__.py'), "print('loaded')\nvalue = 'a value'\n")
    writeFileSync(join(package_, 'part.py'), "other = 'another'\n")
    const { stdout } = await execa(join(pythonBin!, 'python3'), ['-c', code(name)], {
      env: { PYTHONPATH: folder },
    })
    expect(stdout.split('\n')).toEqual(['imported', 'loaded', 'a value', 'another', 'False'])
  })

  const run = async (
    files: Readonly<Record<string, string>>,
    program: string,
  ): Promise<readonly string[]> => {
    const folder = mkdtempSync(join(tmpdir(), 'late-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    mkdirSync(join(folder, 'jwt'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'jwt', name), text)
    const quickImport = JSON.stringify(join(root, 'rootfs/etc/mathesar/quick_import.py'))
    const start = `import runpy\nrunpy.run_path(${quickImport})\n`
    const { stdout } = await execa(join(pythonBin!, 'python3'), ['-c', start + program], {
      env: { PYTHONPATH: folder },
    })
    return stdout.split('\n')
  }

  test('loads a part of such a module once, and its package before it', async () => {
    const files = {
      '__init__.py': "print('package')\nfrom .part import Fault\nfrom . import other\n",
      'part.py': "print('part')\nclass Fault(Exception): pass\n",
      'other.py':
        "print('other')\nfrom jwt import Fault\nfrom jwt.part import Fault as same\nprint(Fault is same)\n",
    }
    const program =
      'import jwt.part\nfrom jwt import part, Fault\nprint(part.Fault is Fault, part.__spec__.loader)\n'
    const [...lines] = await run(files, program)
    expect(lines.slice(0, 4)).toEqual(['package', 'part', 'other', 'True'])
    expect(lines[4]).toMatch(/^True .*SourceFileLoader/)
    expect(lines).toHaveLength(5)
  })

  test('has names that such a module makes when asked, and says which one it has not', async () => {
    const makesNames = `def __getattr__(name):
    if name == 'made': return name
    raise AttributeError(name)
`
    const program = "import jwt\nprint(jwt.made, hasattr(jwt, 'none'), jwt.made)\n"
    expect(await run({ '__init__.py': makesNames }, program)).toEqual(['made False made'])
    const missing = 'import jwt\ntry: jwt.none\nexcept AttributeError as error: print(error)\n'
    expect(await run({ '__init__.py': '' }, missing)).toEqual(["module 'jwt' has no attribute 'none'"])
  })

  test('is asked by many threads at once, and loads it once', async () => {
    const files = { '__init__.py': "import time\nprint('loaded')\ntime.sleep(0.3)\nvalue = 1\n" }
    const program = `import jwt, concurrent.futures as f
with f.ThreadPoolExecutor(8) as pool: print(sum(pool.map(lambda _: jwt.value, range(8))))
`
    expect(await run(files, program)).toEqual(['loaded', '8'])
  })

  test('is loaded by one thread while another one imports a part of it', async () => {
    const files = {
      '__init__.py': 'import time\ntime.sleep(0.2)\nfrom .part import value\n',
      'part.py': 'value = 1\n',
    }
    const program = `import faulthandler, jwt, threading, time
faulthandler.dump_traceback_later(10, exit=True)
def import_part():
    import jwt.part
    print(jwt.part.value)
threads = threading.Thread(target=lambda: print(jwt.value)), threading.Thread(target=import_part)
for thread in threads:
    thread.start()
    time.sleep(0.1)
for thread in threads: thread.join()
`
    expect(await run(files, program)).toEqual(['1', '1'])
  })

  test('tries again to load one that could not be', async () => {
    const files = { '__init__.py': "import os\nos.environ['READY']\nvalue = 1\n" }
    const program = `import jwt, os
try: jwt.value
except KeyError as error: print('not yet', error)
os.environ['READY'] = '1'
print(jwt.value)
`
    expect(await run(files, program)).toEqual(["not yet 'READY'", '1'])
  })

  test('answers 503 where no database does, and leaves every other fault to Django', async () => {
    const port = await freePort()
    const { stdout } = await execa(join(pythonBin!, 'python3'), [
      '-c',
      askDjango(`'HOST': '127.0.0.1', 'PORT': ${port}, 'NAME': 'none', 'USER': 'none'`),
    ])
    expect(stdout).toMatch(
      /^ask 503 Service Unavailable .*'Retry-After', '2'.*'X-Accel-Redirect', '@database'/m,
    )
    expect(stdout).toMatch(/^503 for \/ask\/: the database is away: .*refused/m)
    expect(stdout).toMatch(/^batch 503 Service Unavailable .*'Retry-After', '2'/m)
    expect(stdout).toMatch(/^fail 500 Internal Server Error/m)
    expect(stdout.match(/Traceback/g)).toHaveLength(1)
  })

  test('shares that with the programs beside it, which go on with the collector', async () => {
    const code = `
import sys
sys.path.insert(0, ${JSON.stringify(join(root, 'rootfs/etc/mathesar'))})
import quick_import
quick_import.set_up_django()
import gc
print(gc.isenabled())
`
    const django = join(folder, 'django')
    await execa('mkdir', [django])
    writeFileSync(join(django, '__init__.py'), 'import gc\ndef setup(): print(gc.isenabled())\n')
    const { stdout } = await execa(join(pythonBin!, 'python3'), ['-c', code], {
      env: { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
    })
    expect(stdout).toBe('False\nTrue')
  })
})
