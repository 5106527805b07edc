// npm test: installs what the tests need, runs every kind that can run here,
// and says plainly which could not and why.
//   npm test                       everything
//   npm test -- unit               one kind, or several: lint, types, unit, sim, integration,
//                                  container, cluster
//   npm test -- unit -t 'backoff'  further arguments go to vitest
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import {
  buildImage,
  buildSampleImage,
  cache,
  checkReadable,
  collectStatic,
  findPostgres,
  hasImage,
  isRoot,
  preparePython,
  Problem,
  root,
  say,
  show,
  step,
  whyNoDocker,
} from '../scripts/prepare.ts'

type Kind = 'lint' | 'types' | 'unit' | 'sim' | 'integration' | 'container' | 'cluster'
type Result = {
  readonly kind: Kind
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly why?: string
  /** What is told again at the end, where a log that was cut still shows it. */
  readonly told?: readonly string[]
}
type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

const usualKinds: readonly Kind[] = ['lint', 'types', 'unit', 'sim', 'integration', 'container']
/** A Kubernetes has to be built first: it is run when it is named. */
const kinds: readonly Kind[] = [...usualKinds, 'cluster']
const tools = join(root, '../shared/tools')
const bin = (name: string): string => join(root, 'node_modules/.bin', name)

const args = process.argv.slice(2)
const named = kinds.filter((kind) => args.includes(kind))
const forVitest = args.filter((arg) => !kinds.includes(arg as Kind))
const images = {
  test: process.env.TEST_IMAGE ?? 'mathesar-one:test',
  lean: process.env.TEST_IMAGE_LEAN ?? 'mathesar-one:test-lean',
}

const runLint = async (): Promise<Result> => {
  const codes = [await show(bin('oxfmt'), ['--check']), await show(bin('oxlint'), [])]
  const failed = codes.filter((code) => code !== 0).length
  return {
    kind: 'lint',
    passed: codes.length - failed,
    failed,
    skipped: 0,
    ...(failed > 0 ? { why: codes[0] === 0 ? 'oxlint found errors' : 'type `npm run format`' } : {}),
  }
}

const runTypes = async (): Promise<Result> => {
  const ok = (await show(bin('tsc'), ['--noEmit'])) === 0
  return {
    kind: 'types',
    passed: ok ? 1 : 0,
    failed: ok ? 0 : 1,
    skipped: 0,
    ...(ok ? {} : { why: 'tsc --noEmit found errors' }),
  }
}

/** The tests that failed, or passed only when they were tried again, with the beginning of why. */
const tellTests = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ name, status, message, assertionResults }) => {
    const told = assertionResults.flatMap(({ fullName, status: ended, failureMessages: [why] }) => {
      if (why === undefined) return []
      const verdict = ended === 'failed' ? 'failed' : 'passed only when tried again'
      return [`${verdict}: ${fullName} (${relative(root, name)})\n  ${firstLines(why)}`]
    })
    const isUnloadable = status === 'failed' && told.length === 0
    return isUnloadable ? [`failed: ${relative(root, name)}\n  ${firstLines(message)}`] : told
  })
const firstLines = (text: string): string => text.split('\n').slice(0, 12).join('\n  ')

const runVitest = async (kind: Kind, env: Readonly<Record<string, string>> = {}): Promise<Result> => {
  const file = join(cache, 'tests', `${kind}.json`)
  mkdirSync(join(cache, 'tests'), { recursive: true })
  rmSync(file, { force: true })
  const code = await show(
    bin('vitest'),
    [
      'run',
      '--project',
      kind,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...forVitest,
    ],
    { env },
  )
  if (!existsSync(file))
    return {
      kind,
      passed: 0,
      failed: code === 0 ? 0 : 1,
      skipped: 0,
      why: code === 0 ? 'no tests found' : `vitest ended with ${code} and no report`,
    }
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = report
  // A file that cannot be loaded has no failed test in it, and counts as one.
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
  ).length
  const failed = numFailedTests + broken
  return {
    kind,
    passed: numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
    told: tellTests(report),
    ...(failed === 0 && code !== 0 ? { why: `vitest ended with ${code}` } : {}),
  }
}

const runIntegration = async (): Promise<Result> => {
  if (process.platform !== 'linux')
    return {
      kind: 'integration',
      passed: 0,
      failed: 0,
      skipped: 0,
      why: `skipped, they need Linux and this is ${process.platform}`,
    }
  let env: Record<string, string>
  try {
    checkReadable(root)
    const python = await preparePython()
    collectStatic(python)
    env = { TEST_POSTGRES_BIN: await findPostgres({ mayUseApt: true }), TEST_PYTHON_BIN: python }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { kind: 'integration', passed: 0, failed: 0, skipped: 0, why: `skipped, ${error.message}` }
  }
  return await runVitest('integration', env)
}

/** Base images by a registry, or by the tool beside this repository that makes them where there is none. */
const provideBaseImages = async (): Promise<void> => {
  const tool = join(tools, 'base-image')
  if (!existsSync(tool)) return
  for (const name of ['debian:trixie-slim', 'node:24-trixie-slim', 'python:3.13-slim-trixie']) {
    if (!hasImage(name)) await step(`making the base image ${name}`, tool, [name])
  }
}

const runContainer = async (): Promise<Result> => {
  const skipped = (why: string): Result => ({
    kind: 'container',
    passed: 0,
    failed: 0,
    skipped: 0,
    why: `skipped, ${why}`,
  })
  // The tests reach their containers by the machine's own network.
  if (process.platform !== 'linux') return skipped(`they need Linux and this is ${process.platform}`)
  const engine = join(tools, 'docker-engine')
  if (whyNoDocker() !== undefined && isRoot && existsSync(engine)) {
    say('starting a Docker engine …')
    await show(engine, [])
  }
  const why = whyNoDocker()
  if (why !== undefined) return skipped(why)
  try {
    await provideBaseImages()
    await buildSampleImage()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return skipped(`the base images could not be had: ${error.message}`)
  }
  // From here on it is our Dockerfile: what fails is a failure.
  await buildImage(images.test, 'sample-app')
  await buildImage(images.lean, 'sample-app', '--target', 'lean')
  return await runVitest('container', { TEST_IMAGE: images.test, TEST_IMAGE_LEAN: images.lean })
}

const runners: Record<Kind, () => Promise<Result>> = {
  lint: runLint,
  types: runTypes,
  unit: () => runVitest('unit'),
  sim: () => runVitest('sim'),
  integration: runIntegration,
  container: runContainer,
  cluster: () => runVitest('cluster', { TEST_IMAGE: images.test, TEST_IMAGE_LEAN: images.lean }),
}

const results: Result[] = []
for (const kind of named.length > 0 ? named : usualKinds) {
  say(`${kind} …`)
  results.push(
    await runners[kind]().catch((error: Error): Result => {
      if (!(error instanceof Problem)) say(String(error.stack))
      return { kind, passed: 0, failed: 1, skipped: 0, why: error.message }
    }),
  )
}
const sum = (count: 'passed' | 'failed' | 'skipped'): number =>
  results.reduce((total, result) => total + result[count], 0)
const words = ({ passed, failed, skipped }: Pick<Result, 'passed' | 'failed' | 'skipped'>): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
const ranNothing = (result: Result): boolean => result.why?.startsWith('skipped') ?? false
const told = results.flatMap(({ kind, told: lines = [] }) => lines.map((line) => `${kind} ${line}\n`))
if (told.length > 0) process.stdout.write(`\n${told.join('\n')}`)
const describe = (result: Result): string =>
  ranNothing(result) ? `${result.why}` : `${words(result)}${result.why ? ` (${result.why})` : ''}`
process.stdout.write(`\n${results.map((result) => `${result.kind} tests: ${describe(result)}\n`).join('')}`)
process.stdout.write(`${words({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') })}\n`)
process.exitCode = sum('failed') > 0 ? 1 : 0
