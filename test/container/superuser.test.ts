import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, start, type Box } from '../helpers/docker.ts'

/** Runs commands as the superuser, and starts the container again. */
const restartAfter = async (box: Box, ...commands: readonly string[]): Promise<void> => {
  const args = commands.flatMap((command) => ['-c', command])
  expect(await box.supervisor('psql', '--superuser', '-d', 'template1', ...args)).toMatchObject({
    exitCode: 0,
  })
  expect((await box.stop()).exitCode).toBe(0)
  await box.startAgain()
  await box.ready()
}
const ask = async (box: Box, query: string): Promise<string> => {
  const { stdout, stderr } = await box.supervisor('psql', '--superuser', '-tAc', query)
  return stdout + stderr
}

describeContainer('the superuser of the embedded Postgres', () => {
  cleanUpAfterEach()

  it('logs in at the next start whatever was done to it, its database and the role of Mathesar', async () => {
    const box = await start()
    await box.ready()
    await box.supervisor('psql', '--superuser', '-d', 'template1', '-c', 'DROP DATABASE postgres')
    expect(await ask(box, 'select current_database()'), 'while it is gone').toBe('template1')
    await restartAfter(
      box,
      'ALTER ROLE mathesar SUPERUSER', // As a dump of Mathesar's own image has it.
      "ALTER ROLE postgres SET session_preload_libraries = 'nix'",
      'ALTER ROLE postgres NOLOGIN',
    )
    expect(await ask(box, 'select current_database()')).toBe('postgres')
    expect(await ask(box, "select rolsuper from pg_roles where rolname = 'mathesar'")).toBe('f')
    expect(await box.unit('postgres'), 'one stop for the repair').toMatchObject({ restarts: 1 })
  })

  it('has our password again after a restore that brought another one, where there is one user', async () => {
    const box = await start({ run: ['--user', '12345:0'] })
    await box.ready()
    await restartAfter(box, "ALTER ROLE postgres PASSWORD 'of another server' VALID UNTIL '2001-01-01'")
    expect(await ask(box, 'select 1')).toBe('1')
    expect((await box.exec('pg_dump', '-U', 'mathesar', 'mathesar_django')).stdout).toContain('CREATE TABLE')
    const { stderr } = await box.exec('psql', '-U', 'postgres', '--no-password', '-c', 'select 1')
    expect(stderr, 'it asks for the password').toContain('no password supplied')
  })
})
