import type { CertificateFacts } from '../settings/certificate.ts'
import type { HttpTarget } from '../system/ports.ts'
import type { Holder } from './holder.ts'

/** A TCP socket that listens. Connections wait in it until somebody accepts them. */
export type Listener = { readonly fd: number; readonly address: string; readonly port: number }

/** Where to ask what listens everywhere. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** An address at which this machine itself reaches the listener. */
export const reachableAddress = ({ address }: Pick<Listener, 'address'>): string =>
  loopbackOf[address] ?? address

/** The certificate of the door, and the copies that the door reads. */
export type Certificate = CertificateFacts & {
  readonly certificateFile: string
  readonly keyFile: string
  /** The authority's own certificate, if it is ours: for people to install. */
  readonly authority: string | undefined
}

/** What a task that only acts returns. */
type Nothing = undefined

/**
 * What each task leaves for the units that need it. A unit may read the entries of its `needs`, and no other.
 */
export type Results = {
  readonly listener: Listener
  readonly upstream: {
    /** Where Mathesar listens: behind the door, or on the port itself. */
    readonly fd: number
    readonly target: HttpTarget
    /** Where the supervisor answers behind the door, if there is one. */
    readonly page: number | undefined
  }
  readonly volume: {
    /** The volume cannot be written and need not be: all that Mathesar writes is gone with the container. */
    readonly isEphemeral: boolean
    /** Where Mathesar may write. */
    readonly media: string
    readonly temporary: string
    /** Where the door may write. */
    readonly buffer: string
    /** What the volume says of this run; `undefined` where nothing can be written. */
    readonly holder?: Holder | undefined
  }
  /** `undefined` where the door speaks plain HTTP. */
  readonly certificate: Certificate | undefined
  readonly config: Nothing
  readonly secrets: {
    readonly secretKey: string
    /** The key was made in this boot and is written nowhere yet. */
    readonly isKeyPending: boolean
    /** Of the embedded Postgres; `undefined` with an external database. */
    readonly superuserPassword: string | undefined
  }
  readonly cluster: {
    /** Made in this boot: its superuser still has the password of the template. */
    readonly isFresh: boolean
    /** Whether the server before had shut down in order; `undefined` where there was none. */
    readonly wasShutDown: boolean | undefined
  }
  readonly 'server-config': Nothing
  readonly 'door-config': Nothing
  readonly sync: Nothing
  readonly proof: Nothing
  /** What the embedded server is; `undefined` with an external one. */
  readonly database:
    | {
        readonly version: string
        /** Of the internal database. */
        readonly locale: string | null
        /** The versions of the libraries that sort text. */
        readonly collation: string
        /** All that somebody may connect to, and those of them that another version has sorted. */
        readonly databases: readonly string[]
        readonly stale: readonly string[]
      }
    | undefined
  readonly collations: Nothing
  readonly key: Nothing
  readonly manifest: Nothing
  readonly migrations: {
    /** How this start brought it to another version: by migrations, or by the one that was kept. */
    readonly brought: 'forth' | 'back' | null
  }
  readonly administrator: Nothing
  /** The rest may go on in the background: resolves when that has ended. */
  readonly 'user-databases': { readonly ended: Promise<void> }
}

export type TaskName = keyof Results
