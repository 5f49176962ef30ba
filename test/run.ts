/**
 * `npm test`: every test with tap, against a Kafka and a Redis started for this run on empty data. `npm run test:unit`: only the pure
 * parts, without them. Arguments choose files: any part of a path.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { ensureProgram } from '../deploy/local/installed-program.ts'
import { startOwned } from '../deploy/local/owned-process.ts'
import { projectRoot, startStack } from '../deploy/local/start-stack.ts'
import { StopRequested, untilStopped } from '../deploy/local/until-stopped.ts'
import { describeError } from '../shared/runtime/log.ts'
import { type TapTotals, tapFailures, tapFileResults, tapTotals, totalsLine } from './support/tap-results.ts'

const jobs = 2
const fileTimeoutSeconds = 600
const progressMs = 500

const say = (line: string) => process.stdout.write(`${line}\n`)

const program = new Command('npm test --')
  .description('Runs the tests with tap, against a Kafka and a Redis of its own.')
  .argument('[parts...]', 'only test files whose path contains one of these')
  .option('--unit', 'only *.unit.test.ts, without Kafka and Redis', false)
  .parse()
const { unit } = program.opts<{ unit: boolean }>()
const dir = join(projectRoot, '.local', unit ? 'test-unit' : 'test')
const resultsFile = join(dir, 'results.tap')
const totalsFile = join(dir, 'totals.txt')

const stopping = untilStopped()
try {
  const files = chooseFiles(program.args)
  mkdirSync(dir, { recursive: true })
  for (const file of [resultsFile, totalsFile]) rmSync(file, { force: true })
  const needsStack = files.some((file) => !file.endsWith('.unit.test.ts'))
  const totals = needsStack ? await withStack((env) => runTap(files, env)) : await runTap(files, process.env)
  const line = totalsLine(totals)
  writeFileSync(totalsFile, `${line}\n`)
  say(line)
  process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)
} catch (error) {
  if (!(error instanceof StopRequested)) process.stderr.write(`${describeError(error)}\n`)
  process.exit(error instanceof StopRequested ? 130 : 1)
}

function chooseFiles(parts: string[]): string[] {
  const all = globSync(unit ? 'test/**/*.unit.test.ts' : 'test/**/*.test.ts', { cwd: projectRoot }).sort()
  const chosen = all.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  if (chosen.length === 0) throw new Error(`No test file matches ${parts.join(', ') || 'test/**/*.test.ts'}.`)
  return chosen
}

/** A reset stack of its own, whatever KAFKA_BROKERS says: tests stop and wipe what they are given. */
async function withStack(work: (env: NodeJS.ProcessEnv) => Promise<TapTotals>): Promise<TapTotals> {
  ensureProgram('kcat', 'kcat', say)
  const stack = await stopping.unlessStopped(startStack({ dir, reset: true, log: say, onDeath: stopping.fail }))
  try {
    say(`Kafka on ${stack.brokers}, ${stack.redisUrl}, logs in ${join(dir, 'logs')}`)
    return await work({ ...process.env, KAFKA_BROKERS: stack.brokers, REDIS_URL: stack.redisUrl })
  } finally {
    await stack.stop()
  }
}

async function runTap(files: string[], env: NodeJS.ProcessEnv): Promise<TapTotals> {
  const reporter = process.stdout.isTTY ? 'base' : 'min'
  const options = [
    ...[`--reporter=${reporter}`, `--output-file=${resultsFile}`, `--jobs=${jobs}`, `--timeout=${fileTimeoutSeconds}`],
    `--node-arg=--import=${import.meta.resolve('./support/report-uncaught.ts')}`,
  ]
  const tap = await startOwned({ name: 'tap', command: 'tap', args: ['run', ...options, ...files], env, cwd: projectRoot })
  const showProgress = process.stdout.isTTY ? () => {} : createProgress(files.length)
  const progress = setInterval(showProgress, progressMs)
  try {
    const { code, signal } = await stopping.unlessStopped(tap.exited)
    showProgress()
    return judge(files, code ?? signal)
  } finally {
    clearInterval(progress)
    await tap.stop(5_000)
  }
}

/** Tap's own totals, and besides: a file without a test or without a result is a failure, and so is a bad exit without one. */
function judge(files: string[], exit: number | string | null): TapTotals {
  const text = readResults()
  const totals = tapTotals(text)
  if (!totals) throw new Error(`tap ended with ${exit} before it had results (${resultsFile}).`)
  const results = tapFileResults(text)
  const empty = results.filter((result) => result.empty).map(({ file }) => file)
  const missing = files.filter((file) => !results.some((result) => result.file === file))
  for (const file of empty) say(`${file} has no test`)
  for (const file of missing) say(`${file} has no result`)
  const failed = totals.failed + empty.length + missing.length
  return { ...totals, failed: exit === 0 ? failed : Math.max(1, failed) }
}

function createProgress(count: number): () => void {
  let shown = 0
  return () => {
    const text = readResults()
    for (const { file, ok, ms } of tapFileResults(text).slice(shown)) {
      say(`${ok ? 'ok    ' : 'FAILED'} ${++shown}/${count} ${file} (${(ms / 1000).toFixed(1)} s)`)
      if (!ok) say(tapFailures(text, file))
    }
  }
}

function readResults(): string {
  try {
    return readFileSync(resultsFile, 'utf8')
  } catch {
    return ''
  }
}
