import { ask } from '../http/client.ts'

/** Prints the certificate of our own authority. */
export const run = async (): Promise<number> => {
  process.stdout.write((await ask('GET', '/supervisor/ca.crt')).text)
  return 0
}
