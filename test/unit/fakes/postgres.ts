import type { ClientConfig, QueryResultRow } from 'pg'
import type { Client, System } from '../../../src/system/ports.ts'

type Rows = readonly QueryResultRow[]
/** What a server says to a query: rows, or an error. */
export type Answer = (text: string, values: readonly unknown[]) => Rows | Error
/** Whether a server takes a connection: an error says why not. */
export type Login = (config: ClientConfig) => Error | undefined

/** An error as Postgres sends it. */
export const serverError = (code: string, message = `the server says ${code}`): Error =>
  Object.assign(new Error(message), { code, severity: 'ERROR' })

/** A Postgres of answers. `queries` has what was asked, in order, and `logins` by whom. */
export const createPostgres = () => {
  const queries: string[] = []
  const logins: ClientConfig[] = []
  let answer: Answer = () => []
  let login: Login = () => undefined

  const client: Client = {
    query: async <Row extends QueryResultRow>(text: string, values: unknown[] = []) => {
      queries.push(text)
      const said = answer(text, values)
      if (said instanceof Error) throw said
      const rows: Row[] = JSON.parse(JSON.stringify(said)) // As on the wire, it is a copy of another type.
      return { rows, rowCount: rows.length }
    },
  }

  const withClient: System['withClient'] = async (ways, use) => {
    let failure: Error | undefined
    for (const way of ways) {
      logins.push(way)
      failure = login(way)
      if (!failure) return await use(client)
    }
    throw failure ?? new Error('there is no way to connect')
  }

  return {
    withClient,
    queries,
    logins,
    answerWith: (next: Answer): void => {
      answer = next
    },
    refuseWith: (next: Login): void => {
      login = next
    },
  }
}
