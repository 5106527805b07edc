import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { checkArchive, openArchive } from '../../src/operations/archive/read.ts'
import { decrypt, encrypt } from '../../src/system/age.ts'
import { failureOf } from '../unit/failure.ts'
import { asBytes, check, collect, smallArchive } from '../unit/operations/archives.ts'

/** Numbers of which each run has the same: the rounds of a linear congruential generator. */
const createRandom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const flipped = (bytes: Buffer, bit: number): Buffer => {
  const other = Buffer.from(bytes)
  other[bit >> 3]! ^= 1 << (bit & 7)
  return other
}

describe('an archive that was altered', () => {
  test('by one bit is refused, wherever it is: 10,000 tries', async () => {
    const archive = await smallArchive()
    await check(archive)
    const random = createRandom(1)
    const survivors: string[] = []
    for (let count = 0; count < 10_000; count++) {
      const bit = random(archive.length * 8)
      const refusal = await failureOf(() => check(flipped(archive, bit))).catch(() => undefined)
      const { code } = (refusal ?? {}) as { code?: string }
      if (code !== 'BACKUP_DAMAGED' && code !== 'BACKUP_FOREIGN') survivors.push(`bit ${bit}: ${code}`)
    }
    expect(survivors).toEqual([])
  })

  test('by a cut is refused, wherever it is', async () => {
    const archive = await smallArchive()
    const random = createRandom(2)
    for (let count = 0; count < 1000; count++) {
      const length = random(archive.length)
      expect(await failureOf(() => check(archive.subarray(0, length)))).toMatchObject({
        code: 'BACKUP_DAMAGED',
      })
    }
  })

  test('is refused when it is encrypted, too, and opens with its own key alone', async () => {
    const { generateX25519Identity, identityToRecipient } = await import('age-encryption')
    const [identity, other] = [await generateX25519Identity(), await generateX25519Identity()]
    const plain = await smallArchive()
    const archive = await collect(encrypt(asBytes(plain), { keys: [await identityToRecipient(identity)] }))
    const read = async (bytes: Buffer, key = identity): Promise<number> =>
      await checkArchive(await openArchive({ decrypt }, asBytes(bytes), { keys: [key] }))
    expect(await read(archive)).toBe(await check(plain))
    expect(await failureOf(() => read(archive, other))).toMatchObject({ code: 'BACKUP_LOCKED' })
    const random = createRandom(3)
    for (let count = 0; count < 300; count++) {
      const bad =
        count % 2 ? flipped(archive, random(archive.length * 8)) : archive.subarray(0, random(archive.length))
      const refusal = await failureOf(() => read(bad))
      expect(refusal).toMatchObject({ code: expect.stringMatching(/^BACKUP_(DAMAGED|LOCKED|FOREIGN)$/) })
    }
  })

  test('is neither written nor read with a key that was copied badly, which nobody gets to see', async () => {
    const { generateX25519Identity, identityToRecipient } = await import('age-encryption')
    const identity = await generateX25519Identity()
    const recipient = await identityToRecipient(identity)
    const plain = await smallArchive()
    const whole = await collect(encrypt(asBytes(plain), { keys: [recipient] }))
    for (const act of [
      () => collect(encrypt(asBytes(plain), { keys: [`${recipient.slice(0, -6)}qqqqqq`] })),
      async () =>
        await openArchive({ decrypt }, asBytes(whole), { keys: [`${identity.slice(0, -6)}QQQQQQ`] }),
    ]) {
      const refusal = await failureOf(act)
      expect(refusal).toMatchObject({ code: 'SETTING_INVALID' })
      expect((refusal as Error).message).not.toContain(identity.slice(20, 40))
    }
  })

  test('opens with its passphrase alone', async () => {
    const archive = await collect(encrypt(asBytes(await smallArchive()), { passphrase: 'a long one' }))
    const read = async (passphrase: string): Promise<number> =>
      await checkArchive(await openArchive({ decrypt }, asBytes(archive), { passphrase }))
    expect(await read('a long one')).toBeGreaterThan(0)
    expect(await failureOf(() => read('another one'))).toMatchObject({ code: 'BACKUP_LOCKED' })
  })
})

const fixture = fileURLToPath(new URL('../fixtures/archive.ts', import.meta.url))
/** As the entrypoint starts Node. */
const options = ['--max-semi-space-size=1', '--no-memory-reducer', '--v8-pool-size=1']
const MiB = 1024 * 1024

describe('an archive that is large', () => {
  test('is read back as it was written, encrypted or not, and takes little memory', () => {
    const folder = mkdtempSync(join(tmpdir(), 'archive-'))
    try {
      const said = execFileSync(process.execPath, [...options, fixture, folder, '100'], { encoding: 'utf8' })
      const most = Math.max(...Object.values(JSON.parse(said) as Record<string, number>))
      expect(most / MiB, said).toBeLessThan(48)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
