import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { image, mustDocker } from './docker.ts'

const listPath = '/usr/local/share/supervisor/migrations.json'

const migration = (after: string, operation: string): string => `
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("mathesar", "${after}")]
    operations = [${operation}]
`
/** Migrations that the sample app may get. The second fails: a note is longer. The third is slow. */
export const furtherMigrations = {
  '0006_note_is_pinned': migration(
    '0005_references',
    'migrations.AddField("note", "is_pinned", models.BooleanField(default=False))',
  ),
  '0007_shorter_notes': migration(
    '0006_note_is_pinned',
    'migrations.AlterField("note", "text", models.CharField(max_length=10))',
  ),
  '0006_slow': migration('0005_references', 'migrations.RunSQL("SELECT pg_sleep(20)")'),
}

const folders: string[] = []

/** Arguments of `docker run` that make the image a newer one, with some of `furtherMigrations`. */
export const asNewerImage = async (
  ...names: readonly (keyof typeof furtherMigrations)[]
): Promise<string[]> => {
  const known = JSON.parse(
    await mustDocker('run', '--rm', '--network', 'none', '--entrypoint', 'cat', image, listPath),
  ) as string[]
  const folder = await mkdtemp(join(tmpdir(), 'newer-'))
  folders.push(folder)
  await chmod(folder, 0o755)
  const mount = async (name: string, path: string, text: string): Promise<string[]> => {
    await writeFile(join(folder, name), text, { mode: 0o644 })
    return ['--volume', `${join(folder, name)}:${path}:ro`]
  }
  const list = [...known, ...names.map((name) => `mathesar.${name}`)]
  const mounts = await Promise.all([
    mount('list', listPath, JSON.stringify(list)),
    ...names.map((name) => mount(name, `/code/mathesar/migrations/${name}.py`, furtherMigrations[name])),
  ])
  return mounts.flat()
}

export const removeNewerImages = (): void =>
  afterAll(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
  })
