import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { accountEnv, Person } from '../mathesar.ts'
import { loadUntil } from '../page.ts'
import { type Box, peers } from '../peers.ts'
import { failuresRow, type Row, rowsWithout } from '../row.ts'
import { median, showNumber } from '../statistics.ts'

const people = 16
const slowOnes = 4
const figures = [
  'a page while 4 of 16 people wait for a query of 20 s',
  'requests that fail meanwhile',
] as const
const bars = ['≤ 1.5 × without the queries', 'none'] as const

type Table = { readonly ask: () => Promise<unknown>; readonly lock: (seconds: number) => Promise<unknown> }

/** A table of Mathesar: asking for its rows takes as long as it is locked. */
const makeTable = async ({ port, sh }: Box): Promise<Table> => {
  const person = new Person(port)
  await person.logIn()
  const made = await person.call<{ database: { id: number } }>('databases.setup.create_new', {
    database: 'bench',
  })
  const database_id = made.database.id
  const schemas = await person.call<{ name: string; oid: number }[]>('schemas.list', { database_id })
  const { oid: schema_oid } = schemas.find(({ name }) => name === 'public')!
  const { oid: table_oid } = await person.call<{ oid: number }>('tables.add', {
    database_id,
    schema_oid,
    table_name: 'slow',
  })
  return {
    ask: () => person.call('records.list', { database_id, table_oid, limit: 1 }),
    lock: (seconds) =>
      sh(`supervisor psql -qd bench -c "BEGIN; LOCK TABLE slow; SELECT pg_sleep(${seconds})" > /dev/null`),
  }
}

/** 16 people load a page again and again, and 4 more wait for queries: do the 16 notice? */
export const measurePeople = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  if (bench.source === 'sample-app')
    return { rows: rowsWithout(figures, 'skipped: the sample app has no tables', bars) }
  const seconds = bench.quick ? 5 : 20
  return await bench.withBox(peers.ours, { workers: 0, env: accountEnv }, async (box) => {
    const table = await makeTable(box)
    const alone: number[] = []
    const beside: number[] = []
    const failed: number[] = []
    for (let run = 0; run < bench.runs; run++) {
      const quiet = await loadUntil(box.port, people, delay((seconds * 1000) / 2))
      const locked = table.lock(seconds)
      await delay(1000) // Until it is locked.
      const asked = Promise.allSettled(Array.from({ length: slowOnes }, () => table.ask()))
      const busy = await loadUntil(box.port, people, asked)
      await locked
      const refused = (await asked).filter(({ status }) => status === 'rejected').length
      alone.push(median(quiet.times))
      beside.push(median(busy.times))
      failed.push(quiet.failures.length + busy.failures.length + refused)
      bench.say(
        `people ${run + 1} of ${bench.runs}: a page takes ${Math.round(alone.at(-1)!)} ms, beside ` +
          `${slowOnes} slow queries ${Math.round(beside.at(-1)!)} ms; ${failed.at(-1)} of ` +
          `${quiet.times.length + busy.times.length + slowOnes} requests failed`,
      )
    }
    const times = median(beside) / median(alone)
    return {
      rows: [
        {
          figure: figures[0],
          unit: 'ms',
          cells: { ours: beside },
          bar: bars[0],
          met: times <= 1.5,
          note: `${times.toFixed(2)} ×; without the queries ${showNumber(median(alone), 'ms')}`,
        },
        failuresRow(figures[1], failed),
      ],
    }
  })
}
