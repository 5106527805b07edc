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
})
