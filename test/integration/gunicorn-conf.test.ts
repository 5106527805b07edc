import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, describe, expect, test } from 'vitest'
import { missing, pythonBin } from '../helpers/daemon.ts'
import { root } from '../../scripts/prepare.ts'

const names = ['clevercsv', 'cairosvg', 'requests'] as const

const code = (name: string): string => `
import runpy
runpy.run_path(${JSON.stringify(join(root, 'rootfs/etc/mathesar/gunicorn.conf.py'))})
import ${name} as module
print('imported')
print(module.value)
from ${name}.part import other
print(other)
import gc
print(gc.isenabled())
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
