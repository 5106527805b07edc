import type { ClientConfig } from 'pg'
import { answerQuery, type Data, PostgresError, type Row } from './database.ts'
import type { World } from './world.ts'

/** A connection, as the server knows it. */
export type Session = { readonly epoch: number; isInTransaction: boolean; isAborted: boolean }

/** A Postgres that clients connect to, embedded or external. */
export abstract class Server {
  protected readonly world: World
  /** Whoever holds the advisory lock of the migrations. */
  #lockedBy: Session | 'somebody else' | undefined
  #epoch = 0

  constructor(world: World) {
    this.world = world
  }

  abstract get data(): Data
  /** Why a connection does not come about, if it does not. */
  abstract whyNoConnection(config: ClientConfig): Error | undefined
  /** Makes a change last; throws when it cannot. */
  abstract commit(next: Data): void

  connect(): Session {
    return { epoch: this.#epoch, isInTransaction: false, isAborted: false }
  }

  isOpen(session: Session): boolean {
    return session.epoch === this.#epoch
  }

  /** Every connection breaks. */
  breakAll(): void {
    this.#epoch += 1
    if (this.#lockedBy !== 'somebody else') this.#lockedBy = undefined
  }

  close(session: Session): void {
    if (this.#lockedBy === session) this.#lockedBy = undefined
  }

  /** Another container begins to migrate, or is done. */
  lockBySomebody(isLocked: boolean): void {
    if (isLocked && this.#lockedBy === undefined) this.#lockedBy = 'somebody else'
    if (!isLocked && this.#lockedBy === 'somebody else') this.#lockedBy = undefined
  }

  query(session: Session, sql: string, values: readonly unknown[]): readonly Row[] {
    if (session.isAborted && sql !== 'ROLLBACK')
      throw new PostgresError('25P02', 'current transaction is aborted')
    try {
      return this.#control(session, sql) ?? this.#answer(sql, values)
    } catch (error) {
      session.isAborted = session.isInTransaction
      throw error
    }
  }

  /** Transactions, and the lock that lives in one. */
  #control(session: Session, sql: string): readonly Row[] | undefined {
    switch (sql.split(' ', 2).join(' ')) {
      case 'BEGIN ISOLATION':
        session.isInTransaction = true
        return []
      case 'ROLLBACK':
      case 'COMMIT':
        session.isInTransaction = false
        session.isAborted = false
        this.close(session)
        return []
      case 'SELECT pg_try_advisory_xact_lock($1)':
        this.#lockedBy ??= session
        if (!session.isInTransaction) this.world.violate('model', 'the lock has no transaction to live in')
        return [{ locked: this.#lockedBy === session }]
      default:
        return undefined
    }
  }

  #answer(sql: string, values: readonly unknown[]): readonly Row[] {
    const answer = answerQuery(this.data, sql, values)
    if (answer === undefined) {
      this.world.violate('model', `no answer to the query ${sql}`)
      throw new PostgresError('42601', 'syntax error')
    }
    if (answer.next) this.commit(answer.next)
    return answer.rows
  }
}
