import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, logIn, makeAdmin, newVolume, start } from '../helpers/docker.ts'
import { asNewerImage, removeNewerImages } from '../helpers/newer-image.ts'

describeContainer('an upgrade', () => {
  cleanUpAfterEach()
  removeNewerImages()

  it('whose migration fails changes nothing, says why in one line, and the old version starts', async () => {
    const volume = await newVolume()
    const old = await start({ volume })
    await old.ready()
    await makeAdmin(old)
    await old.stop()

    const newer = await start({
      volume,
      run: await asNewerImage('0004_note_is_pinned', '0005_shorter_notes'),
    })
    expect(await newer.ended()).toBe(53)
    const logs = await newer.logs()
    expect(logs).toContain(
      'running 2 migrations, all of them or none: mathesar.0004_note_is_pinned, mathesar.0005_shorter_notes',
    )
    expect(logs).toContain(
      'cannot migrate the internal database: mathesar.0005_shorter_notes: value too long for type ' +
        'character varying(10)\n',
    )
    expect(logs).toMatch(/ debug migrations +DEBUG the traceback/)
    await newer.remove()

    await old.startAgain()
    await old.ready()
    await logIn(old)
    expect((await old.supervisor('manage', 'showmigrations', 'mathesar')).stdout).not.toContain('0004')
  })

  it('keeps the database before it, which an older image puts in place again when it is told so', async () => {
    const volume = await newVolume()
    const old = await start({ volume })
    await old.ready()
    await makeAdmin(old)
    await old.stop()
    const run = await asNewerImage('0004_note_is_pinned')
    const newer = await start({ volume, run })
    await newer.ready()
    await newer.stop()

    const names = 'mathesar.0004_note_is_pinned'
    await old.startAgain()
    expect(await old.ended()).toBe(52)
    expect(await old.logs()).toMatch(new RegExp(`${names}\\n.*Or go back with \`-e ON_DOWNGRADE=return\``))

    const returned = await start({ volume, env: { ON_DOWNGRADE: 'return' } })
    await returned.ready()
    await logIn(returned)
    expect(await returned.logs()).toContain('is in its place again; that of Mathesar')
    await returned.stop()

    await newer.startAgain()
    await newer.ready()
    await logIn(newer)
    const kept = await newer.supervisor(
      'psql',
      '--superuser',
      '-tAc',
      `
      select string_agg(datname, ' ' order by 1) from pg_database where not datallowconn and datname <> 'template0'`,
    )
    expect(kept.stdout).toMatch(/^mathesar_django_before_\S+ mathesar_django_of_\S+$/)
  })
})
