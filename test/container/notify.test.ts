import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cleanUp, describeContainer, start, until } from '../helpers/docker.ts'
import { freePort } from '../helpers/port.ts'

type Told = { readonly path: string; readonly code: string; readonly message: string; readonly body: string }

describeContainer('NOTIFY_URL', () => {
  const told: Told[] = []
  const server = createServer((request, response) => {
    let body = ''
    request
      .on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      .once('end', () => {
        told.push({ ...(JSON.parse(body) as Told), path: request.url!, body })
        response.end()
      })
  })
  let url = ''
  beforeAll(async () => {
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${port}/hook/token-of-the-receiver`
  })
  afterAll(async () => {
    await cleanUp()
    server.close()
  })
  const codesAt = (query: string): readonly string[] =>
    told.filter(({ path }) => path.endsWith(query)).map(({ code }) => code)

  it('learns of a change that was rolled back and of a full volume, each once, and is a secret', async () => {
    const box = await start({
      env: { NOTIFY_URL: `${url}?one`, SAMPLE_APP_TEST: '1', LOG_LEVEL: 'debug' },
      run: ['--tmpfs', '/var/lib/mathesar:size=150m'],
    })
    await box.ready()
    expect((await box.supervisor('config', 'set', 'GUNICORN_CMD_ARGS=--nonsense')).exitCode).toBe(24)
    await until('word of the change', () => codesAt('?one').length === 1)
    expect(told[0]).toMatchObject({ code: 'CONFIG_ROLLED_BACK', unit: 'config' })
    await box.sh(
      `cd /var/lib/mathesar; dd if=/dev/zero of=big bs=1M count=$(($(df -m . | awk 'NR==2 {print $4}') - 8))`,
    )
    await until('word of the volume', () => codesAt('?one').includes('VOLUME_FULL'), 60_000)
    await box.sh('rm /var/lib/mathesar/big')
    expect(codesAt('?one')).toEqual(['CONFIG_ROLLED_BACK', 'VOLUME_FULL'])
    const env = (await (await fetch(box.url('/env/?name=NOTIFY_URL'))).json()) as { value: string | null }
    expect(env.value).toBeNull()
    for (const text of [
      await box.logs(),
      (await box.supervisor('config', 'show')).stdout,
      ...told.map(({ body }) => body),
    ])
      expect(text).not.toContain('token-of-the-receiver')
  })

  it('learns of what ends the container before it has ended', async () => {
    const box = await start({ env: { NOTIFY_URL: `${url}?two`, SAMPLE_APP_BREAK: 'settings' } })
    expect(await box.ended()).toBe(10)
    expect(codesAt('?two')).toEqual(['SERVICE_CRASH_LOOP'])
  })

  it('holds nothing up when nobody answers there', async () => {
    const deaf = createServer(() => {})
    const port = await freePort()
    await new Promise<void>((resolve) => deaf.listen(port, '127.0.0.1', resolve))
    const env = {
      NOTIFY_URL: `http://127.0.0.1:${port}/`,
      TLS_CERTIFICATE: '/etc/hostname',
      TLS_KEY: '/etc/hostname',
    }
    const box = await start({ env })
    const began = Date.now()
    expect(await box.ended()).toBe(41)
    expect(Date.now() - began).toBeLessThan(15_000)
    deaf.closeAllConnections()
    deaf.close()
  })
})
