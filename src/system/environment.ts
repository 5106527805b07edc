import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The environment of this process. */
export const environment: Readonly<Record<string, string | undefined>> = process.env

/** pg takes what a connection does not say from these, as platforms hand them out for another server. */
export const forgetLibpqVariables = (): void => {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]+$/.test(name)) delete process.env[name]
}

/** Whether a program of this name can be started. */
export const isOnPath = (name: string): boolean =>
  (environment.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)))
