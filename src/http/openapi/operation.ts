import type * as v from 'valibot'
import type { ErrorCode } from '../../errors.ts'

type Schemas = Readonly<Record<string, v.GenericSchema>>

type Answer = {
  readonly description: string
  /** Whether the ETag is the version in force. */
  readonly hasVersion?: true
  /** By media type. */
  readonly content: Schemas
}

/** What docs/openapi.json says of a route. */
export type Operation = {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  /** Each with a description. Those in the path are required, the others optional. */
  readonly parameters?: {
    readonly path?: Schemas
    readonly query?: Schemas
    readonly header?: Schemas
  }
  readonly body?: {
    readonly schema: v.GenericSchema
    readonly examples: Readonly<Record<string, unknown>>
  }
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** When it fails with which error. The table of errors has the status of each. */
  readonly errors?: { readonly [Code in ErrorCode]?: string }
}
