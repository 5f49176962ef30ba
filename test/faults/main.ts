/** `npm run test:faults`: everything that can go wrong, on three brokers, under load; then the accounts of what became of each notification. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { ensureProgram } from '../../deploy/local/installed-program.ts'
import { localDir } from '../../deploy/local/start-stack.ts'
import { StopRequested, untilStopped } from '../../deploy/local/until-stopped.ts'
import { positiveInteger, positiveNumber } from '../../services/operator/command.ts'
import { describeError } from '../../shared/runtime/log.ts'
import { machine } from '../support/machine.ts'
import { checkRun } from './checker/check-run.ts'
import { chooseFaults, faults } from './faults.ts'
import { openScene } from './open-scene.ts'
import { type RunReport, reportLines, writeResults } from './report.ts'
import { runFaults } from './run-faults.ts'

type Options = {
  seed: string
  minutes?: number
  only?: string
  failpoints?: string
  rate: number
  repeat: number
  smoke: boolean
  json: boolean
  list: boolean
  results: boolean
}

const options = new Command('npm run test:faults --')
  .description('Runs named faults under a steady load on three Kafka nodes, then checks the accounts with a second client.')
  .option('--seed <number>', 'what the load and the faults are made from', '1')
  .option('--minutes <minutes>', 'begin no fault after so long (default: each fault is run)', positiveNumber)
  .option('--only <names>', 'comma-separated: faults whose name contains one of these')
  .option('--failpoints <names>', 'comma-separated: of the failpoints, only these')
  .option('--rate <number>', 'notifications a second', positiveInteger, 100)
  .option('--repeat <times>', 'how often each fault, and each failpoint, is tried', positiveInteger, 3)
  .option('--smoke', 'only the two-minute subset, each once', false)
  .option('--json', 'print the report as one JSON document', false)
  .option('--list', 'list the faults, run nothing', false)
  .option('--results', 'write test/faults/RESULTS.md from the reports of all seeds kept in .local/faults, run nothing', false)
  .parse()
  .opts<Options>()

const dir = join(localDir, 'faults')
const say = (line: string) => void (options.json ? process.stderr : process.stdout).write(`${stamp()} ${line}\n`)
const startedAt = Date.now()
const stamp = () => `[${String(Math.round((Date.now() - startedAt) / 1000)).padStart(5)} s]`

const stopping = untilStopped()
try {
  if (options.list) for (const { name, about } of faults) process.stdout.write(`${name.padEnd(44)} ${about}\n`)
  else if (options.results) process.stdout.write(`${writeResults(dir)}\n`)
  else process.exitCode = await run()
  process.exit()
} catch (error) {
  if (!(error instanceof StopRequested)) process.stderr.write(`${describeError(error)}\n`)
  process.exit(error instanceof StopRequested ? 130 : 1)
}

async function run(): Promise<number> {
  const { seed, minutes, only, rate, smoke, json } = options
  const chosen = chooseFaults(faults, { only: only?.split(','), smoke })
  ensureProgram('kcat', 'kcat', say)
  const repeat = smoke ? 1 : options.repeat
  const failpoints = smoke ? ['transaction.outputs-sent'] : options.failpoints?.split(',')
  const wants = (failpoint: string) => failpoints?.includes(failpoint) ?? true
  const opened = await stopping.unlessStopped(
    openScene({ dir: join(dir, 'run'), seed, rate, repeat, wants, say, onDeath: (error) => stopping.fail(describeError(error)) }),
  )
  try {
    const { scene } = opened
    const deadline = minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + minutes * 60_000
    say(`${chosen.length} faults at ${rate} notifications a second, seed ${seed}`)
    const results = await stopping.unlessStopped(runFaults(scene, chosen, deadline))
    say('All faults over. Ending the load, waiting until everything is accounted for …')
    await stopping.unlessStopped(opened.settle())
    say('Checking with kcat …')
    const { historyFile, positionsFile, keysDir, brokers } = opened
    const check = await stopping.unlessStopped(
      checkRun({ brokers, prefix: scene.prefix, history: historyFile, positions: positionsFile, keys: keysDir }),
    )
    const report: RunReport = {
      ...{ seed, rate, repeat, startedAt, endedAt: Date.now(), results, check },
      seen: seenIn(scene.fleet.lines.map(({ event }) => event)),
      machine: machine(),
    }
    mkdirSync(dir, { recursive: true })
    if (!only && !failpoints) writeFileSync(join(dir, `seed-${seed}.json`), JSON.stringify(report))
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
    else for (const line of reportLines(report)) process.stdout.write(`${line}\n`)
    return results.every(({ failure }) => failure === undefined) && check.problems.length === 0 ? 0 : 1
  } finally {
    say('Stopping …')
    await opened.stop()
  }
}

/** How often each event stands in the services' logs. */
function seenIn(events: string[]): Record<string, number> {
  const seen: Record<string, number> = {}
  for (const event of events) seen[event] = (seen[event] ?? 0) + 1
  return seen
}
