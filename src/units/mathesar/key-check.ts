/**
 * The internal database says which secret key it was made with, as a comment on its table of migrations: the
 * same query reads both, a dump has it, and only who owns Mathesar's tables can write it. It is a digest
 * under a salt of this database alone. Rounds make each guess dearer: every role of the server can read it.
 */
const mark = 'mathesar: made with the secret key'
const rounds = 2000

const digestOf = (secretKey: string, salt: string): string =>
  process
    .getBuiltinModule('node:crypto') // It takes 5 ms to load: not for the start of a boot.
    .pbkdf2Sync(secretKey, `${mark} ${salt}`, rounds, 16, 'sha256')
    .toString('hex')

/** The comment that a database gets, under a salt of letters and digits. */
export const keyNoteOf = (secretKey: string, salt: string): string =>
  `${mark} ${salt} ${digestOf(secretKey, salt)}`

/** Whether a database says that it was made with the key; `undefined` where it does not say. */
export const isKeyOf = (secretKey: string, note: string | null): boolean | undefined => {
  const [, salt, digest] =
    /^mathesar: made with the secret key ([A-Za-z0-9]{1,64}) ([0-9a-f]{32})$/.exec(note ?? '') ?? []
  return salt === undefined ? undefined : digestOf(secretKey, salt) === digest
}
