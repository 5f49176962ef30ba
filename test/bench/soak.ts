/**
 * `npm run soak -- --minutes 30`: the whole pipeline under a steady load, and whether anything grows: memory, handles, lag, latency. At its end every
 * notification is accounted for. A Kafka and a Redis of its own, on empty data.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { accountForAll } from '../../deploy/local/account-for-all.ts'
import type { SentChange } from '../../deploy/local/accounting.ts'
import { freePort } from '../../deploy/local/free-ports.ts'
import { keyFiles, startPipeline } from '../../deploy/local/pipeline.ts'
import { runOperator } from '../../deploy/local/run-operator.ts'
import { localDir, localPartitions, projectRoot, startStack } from '../../deploy/local/start-stack.ts'
import { makeTopics, quietKafka } from '../../deploy/local/topics.ts'
import { StopRequested, untilStopped } from '../../deploy/local/until-stopped.ts'
import { positiveNumber, share } from '../../services/operator/command.ts'
import { createProgress } from '../../services/operator/progress.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { describeError } from '../../shared/runtime/log.ts'
import { commit, machine } from '../support/machine.ts'
import { waitFor } from '../support/wait-for.ts'
import { type Load, startLoad } from './soak-load.ts'
import type { LoadEnd, LoadLook } from './soak-load-worker.ts'
import { flatness, judgeSoak, type Soak, soakMarkdown, soakPage } from './soak-report.ts'
import { lagOf, type Sample, takeSample } from './soak-samples.ts'

type Options = { minutes: number; rate: number; duplicates: number; results: boolean }

const { minutes, rate, duplicates, results } = new Command('npm run soak --')
  .description('Runs the whole pipeline under a steady load and judges whether memory, handles, lag and latency stay flat.')
  .option('--minutes <number>', 'how long; three at least, for growth to show', positiveNumber, 30)
  .option('--rate <number>', 'signed notifications a second', positiveNumber, 300)
  .option('--duplicates <share>', 'share of them that are copies', share, 0.2)
  .option('--results', 'write test/bench/SOAK.md from the last run, run nothing', false)
  .addHelpText(
    'after',
    `
Ctrl-C ends the load early; what was sent is accounted for all the same. The report lies in .local/soak: report.json, report.md, and
report.html with plots. Exit code 1 if the accounts do not hold or something grows.

Examples:
  $ npm run soak -- --minutes 30
  $ npm run soak -- --minutes 3 --rate 100`,
  )
  .parse()
  .opts<Options>()

const dir = join(localDir, 'soak')
const reportFile = (kind: 'json' | 'md' | 'html') => join(dir, `report.${kind}`)
const keysDir = join(dir, 'keys')
const say = (line: string) => void process.stdout.write(`${line}\n`)
/** Short enough for twenty samples in a third, long enough to cost nothing. */
const everyMs = Math.min(5_000, Math.max(500, (minutes * 60_000) / 60))
const sayEveryMs = 60_000
const caughtUpWithin = { timeoutMs: 180_000 }

const stopping = untilStopped()
/** A part that ends by itself ends the soak; Ctrl-C only ends its load. */
const { promise: death, reject: die } = Promise.withResolvers<never>()
const fail = (reason: string) => die(new Error(reason))
const teardowns: (() => Promise<void>)[] = []
try {
  if (results) writeResults()
  else process.exitCode = report(await Promise.race([run(), death]))
} catch (error) {
  if (!(error instanceof StopRequested)) process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof StopRequested ? 130 : 1
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
process.exit()

async function run(): Promise<Soak> {
  const { unlessStopped } = stopping
  const stack = await unlessStopped(startStack({ dir, reset: true, jvm: 'server', log: say, onDeath: fail }))
  teardowns.push(stack.stop)
  const env = {
    ...{ PATH: process.env.PATH, KAFKA_BROKERS: stack.brokers, REDIS_URL: stack.redisUrl },
    ...{ ...keyFiles(keysDir), GATEWAY_PORT: String(await freePort()) },
  }
  const { KAFKA_BROKERS: _unused, ...withoutKafka } = env
  if (!existsSync(join(keysDir, 'identity.json')))
    await unlessStopped(runOperator(['keys', 'make', '--development', '--out', keysDir], withoutKafka))
  const kafka = quietKafka(stack.brokers)
  const topics = await unlessStopped(makeTopics(kafka, { prefix: '', partitions: localPartitions, own: true }))
  await unlessStopped(runOperator(['merchants', 'put', join(keysDir, 'merchants.json')], env))
  const pipeline = await unlessStopped(startPipeline({ env, logDir: join(dir, 'logs'), onDeath: fail }))
  teardowns.push(pipeline.stop)
  const facts = await openTopicFacts(kafka)
  teardowns.push(facts.close)

  const startedAt = new Date().toISOString()
  const begunAt = Date.now()
  const planFile = join(dir, 'plan.json')
  const count = Math.ceil(minutes * 60 * rate)
  const load = startLoad({ gatewayUrl: `http://127.0.0.1:${env.GATEWAY_PORT}`, keysDir, rate, duplicates, count, planFile })
  // Not an end but an early one: what is in flight is answered, and then accounted for.
  let cutShort = false
  void stopping.stopped.then(() => {
    cutShort = true
    load.stop()
  })
  const samples = await sampleUntil(load, (look) => takeSample({ services: pipeline.services, facts, topics }, begunAt, look))
  const end = await load.ended
  const lastedMs = Date.now() - begunAt
  say(`${end.sent} sent, ${end.acknowledged} acknowledged; waiting until each is accounted for`)

  // Behind the last record of a partition may lie a marker that nobody has to commit.
  const most = 2 * localPartitions
  await waitFor(
    'the stages to catch up',
    async () => Object.values(await lagOf(facts, topics)).every((lag) => lag <= most),
    caughtUpWithin,
  )
  const { changes } = JSON.parse(readFileSync(planFile, 'utf8')) as { changes: SentChange[] }
  const reading = {
    kafka,
    topics,
    prefix: '',
    onDeath: (error: Error) => fail(`The accounts lost Kafka: ${describeError(error)}`),
  }
  const accounts = await accountForAll(reading, env, {
    ...{ acknowledged: end.acknowledged, sent: changes, summary: summaryOf(end) },
    // Cut short, some were given up on the way: nobody asked again.
    fulfilled: end.wrongAnswers === 0 && (end.lost === 0 || cutShort),
  })
  return { machine: machine(), commit: commit(), startedAt, rate, duplicates, minutes, lastedMs, samples, accounts }
}

async function sampleUntil(load: Load, take: (look: LoadLook) => Promise<Sample>): Promise<Sample[]> {
  const samples: Sample[] = []
  const progress = createProgress(process.stderr.isTTY ? process.stderr : undefined, 'soak, seconds', Math.round(minutes * 60))
  let saidAt = Number.NEGATIVE_INFINITY
  // The moment between two samples ends at once when the load does.
  const pause = () => Promise.race([sleep(everyMs), load.ended])
  try {
    for (await pause(); !load.hasEnded(); await pause()) {
      const sample = await take(await load.look())
      samples.push(sample)
      progress.advance(Math.round(sample.atMs / 1_000))
      if (process.stderr.isTTY || sample.atMs - saidAt < sayEveryMs) continue
      saidAt = sample.atMs
      say(lineOf(sample))
    }
  } finally {
    progress.end()
  }
  return samples
}

function lineOf({ atMs, sent, p50, p99, lag, memoryMib }: Sample): string {
  const shown = (values: Record<string, number>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${Math.round(value)}`)
      .join(', ')
  const latency = p50 === null ? 'none answered' : `answered in ${p50.toFixed(1)} ms (p99 ${p99?.toFixed(1)})`
  return `${(atMs / 60_000).toFixed(1)} min: ${sent} sent, ${latency}; lag ${shown(lag)}; MiB ${shown(memoryMib)}`
}

function summaryOf({ sent, acknowledged, distinct, lost, wrongAnswers, trouble }: LoadEnd): string {
  const met = trouble.length > 0 ? ` (${trouble.join('; ')})` : ''
  return `${sent} requests sent, ${acknowledged} acknowledged, ${distinct} distinct changes, ${lost} given up, ${wrongAnswers} answers not as documented${met}`
}

function report(soak: Soak): number {
  const found = judgeSoak(soak)
  mkdirSync(dir, { recursive: true })
  writeFileSync(reportFile('json'), JSON.stringify(soak))
  writeFileSync(reportFile('md'), soakMarkdown(soak))
  writeFileSync(reportFile('html'), soakPage(soak))
  for (const line of [...soak.accounts.lines, flatness(found), `\n${join(dir, 'report')}.{json,md,html}`]) say(line)
  return found.holds ? 0 : 1
}

function writeResults(): void {
  if (!existsSync(reportFile('md'))) throw new Error('There is no report of a run yet: npm run soak makes one.')
  copyFileSync(reportFile('md'), join(projectRoot, 'test/bench/SOAK.md'))
}
