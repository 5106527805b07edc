// npm run bench: the same work under our image and under every alternative, in one run on one machine.
import { parseArgs } from 'node:util'
import { constants } from 'node:os'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem, root, say, whyNoDocker } from '../scripts/prepare.ts'
import { type Bench, prepareBench } from './bench.ts'
import { cleanUp, isTaken } from './docker.ts'
import { measureBoot } from './measure/boot.ts'
import { measureCommands } from './measure/commands.ts'
import { measureConfig } from './measure/config.ts'
import { measureDoor } from './measure/door.ts'
import { measureIdle } from './measure/idle.ts'
import { measureLogs } from './measure/logs.ts'
import { measureMachines } from './measure/machines.ts'
import { measureMemory } from './measure/memory.ts'
import { measureOrphans } from './measure/orphans.ts'
import { measurePeople } from './measure/people.ts'
import { measureRecovery } from './measure/recovery.ts'
import { measureShare } from './measure/share.ts'
import { measureStop } from './measure/stop.ts'
import { measureSize } from './measure/size.ts'
import { measureSleep } from './measure/sleep.ts'
import { type Measured, printReport, writeReport } from './report.ts'
import { rowsWithout } from './row.ts'

const measures: Readonly<Record<string, (bench: Bench) => Promise<Measured>>> = {
  boot: measureBoot,
  share: measureShare,
  stop: measureStop,
  recovery: measureRecovery,
  config: measureConfig,
  door: measureDoor,
  people: measurePeople,
  memory: measureMemory,
  sleep: measureSleep,
  machines: measureMachines,
  commands: measureCommands,
  idle: measureIdle,
  logs: measureLogs,
  orphans: measureOrphans,
  size: measureSize,
}

const help = `Usage: npm run bench -- [MEASURE…] [OPTIONS]

Measures our image beside Mathesar's own way, supervisord, s6, tini with a script, and the bare processes,
in containers. Prints a table, and writes it into bench/README.md with the boot timelines in bench/boot.svg
(into .cache/bench with --quick, or when only some measures are named). Needs a Docker engine and a quiet
machine.

Measures: ${Object.keys(measures).join(', ')}; all of them when none is named.

  --runs N       how often to repeat (default 3)
  --quick        one run, and short waits: to see that it works, not for figures
  --image NAME   an image of ours that is there already and was built from MATHESAR_IMAGE,
                 instead of building one
  --no-write     leave bench/README.md and bench/boot.svg as they are
  --help         this text

MATHESAR_IMAGE names the image of Mathesar that ours is built from.`

const readOptions = () => {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: 'string' },
        quick: { type: 'boolean' },
        image: { type: 'string' },
        'no-write': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const unknown = positionals.find((name) => !(name in measures))
    if (unknown !== undefined) throw new Error(`there is no measure ${unknown}`)
    const runs = Number(values.runs ?? (values.quick ? 1 : 3))
    if (!Number.isInteger(runs) || runs < 1 || runs > 100)
      throw new Error(`--runs ${values.runs} is not a whole number from 1 to 100`)
    return {
      runs,
      quick: values.quick ?? false,
      image: values.image,
      write: !values['no-write'],
      help: values.help ?? false,
      names: positionals.length > 0 ? positionals : Object.keys(measures),
    }
  } catch (error) {
    throw new Problem(`${(error as Error).message}. Type \`npm run bench -- --help\``)
  }
}

const main = async (): Promise<void> => {
  const { help: wantsHelp, names, write, ...wishes } = readOptions()
  if (wantsHelp) return void process.stdout.write(`${help}\n`)
  const why = whyNoDocker()
  if (why !== undefined) throw new Problem(`cannot measure: ${why}`)
  if (await isTaken(5432))
    throw new Problem(
      'cannot measure: another program listens on port 5432, ' +
        "which Mathesar's own way needs and which a bridge network would give it",
    )
  const began = Date.now()
  const bench = await prepareBench({
    ...wishes,
    mathesar:
      process.env.MATHESAR_IMAGE ??
      /^ARG MATHESAR_IMAGE=(\S+)/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))![1]!,
  })
  const results = new Map<string, Measured>()
  for (const name of names) {
    say(`measuring ${name} …`)
    const since = Date.now()
    results.set(
      name,
      await measures[name]!(bench).catch((error: Error): Measured => {
        say(`cannot measure ${name}: ${error instanceof Problem ? error.message : error.stack}`)
        return { rows: rowsWithout([name], `could not be measured: ${error.message.split('\n')[0]}`) }
      }),
    )
    say(`measured ${name} in ${Math.round((Date.now() - since) / 1000)} s`)
  }
  printReport([...results.values()])
  const isWhole = write && !wishes.quick && Object.keys(measures).every((name) => results.has(name))
  const folder = writeReport(
    [...results.values()],
    { source: bench.source, runs: bench.runs, date: new Date().toISOString().slice(0, 10) },
    isWhole,
  )
  say(`done in ${Math.round((Date.now() - began) / 1000)} s; the table and the picture are in ${folder}`)
}

const leave = async (why: string, exitCode: number): Promise<never> => {
  say(`${why}: removing the containers and volumes of this run`)
  await cleanUp({ leave: true })
  process.exit(exitCode)
}
process.once('uncaughtException', (error) => void leave(String(error.stack), 1))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void leave(signal, 128 + constants.signals[signal]))
}

try {
  await main()
} catch (error) {
  say(error instanceof Problem ? error.message : String((error as Error).stack))
  process.exitCode = 1
} finally {
  await cleanUp({ leave: true })
}
