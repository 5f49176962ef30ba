/** `npm run bench`: how fast and how dear, each figure beside its ceiling. A Kafka and a Redis of its own, on empty data. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { localDir, projectRoot, startStack } from '../../deploy/local/start-stack.ts'
import { StopRequested, untilStopped } from '../../deploy/local/until-stopped.ts'
import { positiveInteger } from '../../services/operator/command.ts'
import { createProgress } from '../../services/operator/progress.ts'
import { describeError } from '../../shared/runtime/log.ts'
import { commit, machine } from '../support/machine.ts'
import type { Bench, World } from './bench.ts'
import { benches } from './benches.ts'
import { figureLines, page, type RunReport, results } from './report.ts'

type Options = { only?: string; seconds: number; repeat: number; records: number; json: boolean; list: boolean; results: boolean }

const options = new Command('npm run bench --')
  .description('Measures the pipeline on this machine, each figure beside a ceiling measured in the same run.')
  .option('--only <names>', 'comma-separated: benchmarks whose name contains one of these')
  .option('--seconds <number>', 'how long each rate is measured', positiveInteger, 10)
  .option('--repeat <times>', 'how often everything is measured', positiveInteger, 3)
  .option('--records <number>', 'how many records a stage drains', positiveInteger, 300_000)
  .option('--json', 'print the report as one JSON document', false)
  .option('--list', 'list the benchmarks, run nothing', false)
  .option('--results', 'write test/bench/RESULTS.md from the last full run, run nothing', false)
  .addHelpText('after', '\nThe report of a run lies in .local/bench: report.json, report.md, and report.html with plots.')
  .parse()
  .opts<Options>()

const dir = join(localDir, 'bench')
const screen = process.stderr.isTTY ? process.stderr : undefined
const say = (line: string) => void (options.json ? process.stderr : process.stdout).write(`${line}\n`)

const stopping = untilStopped()
const teardowns: (() => Promise<void> | void)[] = []
try {
  const names = options.only?.split(',')
  const chosen = benches.filter(({ name }) => !names || names.some((part) => name.includes(part)))
  if (chosen.length === 0) throw new Error(`No benchmark fits ${options.only}; --list shows them.`)
  if (options.list) for (const { name, about } of benches) process.stdout.write(`${name.padEnd(20)} ${about}\n`)
  else if (options.results) writeFileSync(join(projectRoot, 'test/bench/RESULTS.md'), results(readReport()))
  else process.exitCode = await stopping.unlessStopped(run(chosen))
} catch (error) {
  if (!(error instanceof StopRequested)) process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof StopRequested ? 130 : 1
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
process.exit()

async function run(chosen: Bench[]): Promise<number> {
  const { seconds, repeat, records, json, only } = options
  const stack = await startStack({ dir: join(dir, 'stack'), reset: true, jvm: 'server', log: say, onDeath: stopping.fail })
  teardowns.push(() => stack.stop())
  // Topics and services are made by what the tests use, which reads these.
  process.env.KAFKA_BROKERS = stack.brokers
  process.env.REDIS_URL = stack.redisUrl
  const report: RunReport = {
    machine: machine(),
    commit: commit(),
    startedAt: new Date().toISOString(),
    seconds,
    repeat,
    records,
    benches: [],
  }
  for (const { name, about, run: measure } of chosen) {
    say(`\n${name}: ${about}`)
    const ends: (() => Promise<void> | void)[] = []
    const world: World = {
      ...{ brokers: stack.brokers, redisUrl: stack.redisUrl, dir: join(dir, name), seconds, repeat, records, say },
      progress: (what, total) => createProgress(screen, what, total),
      teardown: (handler) => void ends.push(handler),
    }
    mkdirSync(world.dir, { recursive: true })
    try {
      const measured = await measure(world)
      report.benches.push({ name, about, ...measured })
      for (const line of figureLines(measured.figures)) say(line)
    } finally {
      for (const end of ends.reverse()) await end()
    }
  }
  // A part of it is no report of the whole.
  const place = only ? 'part' : 'report'
  writeFileSync(join(dir, `${place}.json`), JSON.stringify(report))
  writeFileSync(join(dir, `${place}.md`), results(report))
  writeFileSync(join(dir, `${place}.html`), page(report))
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
  say(`\n${join(dir, place)}.{json,md,html}`)
  return 0
}

function readReport(): RunReport {
  try {
    return JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as RunReport
  } catch {
    throw new Error('There is no report of a full run yet: npm run bench, without --only, makes one.')
  }
}
