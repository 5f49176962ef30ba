import { randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { defaultWindowHours } from '../../../shared/contracts/deduplication-key.ts'
import { openTopicFacts, type TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { type Answer, UsageError } from '../answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, positiveNumber, wholeNumber } from '../command.ts'
import { type KafkaSession, openKafka } from '../kafka-session.ts'
import { pointInTime } from '../point-in-time.ts'
import type { Terminal } from '../terminal.ts'
import { findScope } from './find-scope.ts'
import type { JobSpec } from './jobs.ts'
import { type InPlaceOptions, type Plan, planInPlaceJob } from './plan-job.ts'
import { runInPlace } from './run-in-place.ts'
import { type Carrier, type Finished, resumeJob, startJob } from './run-job.ts'
import { checkSideJob, planSideJob, runSideJob } from './side-job.ts'
import { sideKeysHelp } from './side-keys.ts'

type PlanOptions = CommonOptions & InPlaceOptions & { inPlace?: boolean; differences: number }
type RunOptions = PlanOptions & { id?: string; resume?: string }
/** What every part of these commands works with. */
type Around = { session: KafkaSession; terminal: Terminal; facts: TopicFacts }

const details =
  'What: --offsets, times, --token, --merchant and --source must all hold for a record; --dead-letter stands alone. What left retention is\n' +
  'refused by name, or left out with --retained.\n' +
  'To a side topic: the whole way again, through the code as it is here, into replays.<id>.token-events.v1. Exit code 1 if anything\n' +
  `differs from what is public. ${sideKeysHelp}\n` +
  '--in-place: raw records of the last days into their own partitions again, while the pipeline runs. Each copy ends as a duplicate, so\n' +
  'token-events.v1 gets nothing; older ones are refused. Merchants get syncs again only with --sync, and only those named.'

/** `operator replay plan|run`: to a side topic, or in place. */
export function addRunCommands(replay: Command, { terminal, perform }: Frame): void {
  withSelection(
    defineCommand(replay, 'plan', {
      summary: 'show what run would do; changes nothing',
      examples: [
        'replay plan --since 1d',
        'replay plan --in-place --since 2h',
        'replay plan --in-place --source events --since 1d --sync merchant=M-1001',
      ],
      details,
    }),
  ).action(
    perform((options: PlanOptions) =>
      withFacts(terminal, async (around) => {
        const { fulfilled, document, lines } = await makePlan(around, options)
        return { fulfilled, document, text: lines.join('\n') }
      }),
    ),
  )

  withSelection(
    defineCommand(replay, 'run', {
      summary: 'replay, with a record in the audit trail; Ctrl-C or stop ends it where it can go on',
      examples: [
        'replay run --since 1d --id release-check',
        'replay run --in-place --offsets notifications.bluepay.raw.v1/3/100-199',
        'replay run --in-place --source events --since 1d --sync merchant=M-1001,M-1002 --rate 200 --id outage-of-m1001',
        'replay run --resume outage-of-m1001',
      ],
      details,
      changes: true,
    }),
  )
    .option('--id <name>', 'the value of replay-id (default: the date and some digits)', replayId)
    .option('--resume <id>', 'go on with a replay that was stopped, has failed or was killed; takes no other choice')
    .action(perform((options: RunOptions) => withFacts(terminal, (around) => run(around, options))))
}

function withSelection(command: Command): Command {
  return command
    .addOption(
      new Option('--source <source>', 'raw notifications or public events (default: raw)').choices(['raw', 'events'] as const),
    )
    .option('--all', 'everything that is retained')
    .option('--offsets <offsets...>', 'topic/partition, topic/partition/17, or topic/partition/17-42 with both included')
    .option('--since <time>', 'accepted at this time or later: 30m, 2h or 7d ago, or a date or time with zone', pointInTime)
    .option('--until <time>', 'accepted before this time (default: now)', pointInTime)
    .option('--token <ref>', "of this token: its ref, as in an event's token.ref")
    .option('--merchant <id>', 'of this merchant, by its id or its auth clients')
    .option('--dead-letter <positions...>', 'the raw records of these dead letters')
    .option('--retained', 'leave out what left retention, and do the rest')
    .option('--in-place', 'into the pipeline itself (default: to a side topic)')
    .option('--sync <merchants>', 'with --in-place: merchant=<id>[,<id>…] get their syncs again', syncMerchants)
    .option('--rate <number>', 'records a second at most (default: as fast as it goes)', positiveNumber)
    .option('--differences <count>', 'to a side topic: how many differences to list; all are counted', wholeNumber, 20)
    .option('--window-hours <hours>', "the deduplicator's WINDOW_HOURS", positiveInteger, defaultWindowHours)
}

async function withFacts<T>(terminal: Terminal, work: (around: Around) => Promise<T>): Promise<T> {
  const session = openKafka(terminal)
  const facts = await openTopicFacts(session.kafka)
  return work({ session, terminal, facts }).finally(facts.close)
}

async function makePlan({ session, terminal, facts }: Around, options: PlanOptions): Promise<Plan> {
  checkTarget(options)
  return options.inPlace ? planInPlaceJob(session, terminal, facts, options) : planSideJob(session, terminal, facts, options)
}

async function run(around: Around, options: RunOptions): Promise<Answer> {
  const { session, terminal } = around
  const carry = createCarrier(around, options.differences)
  if (options.resume !== undefined) return describeRun(await resumeJob(session, terminal, options.resume, carry))
  if (options.dryRun) {
    const { fulfilled, document, lines } = await makePlan(around, options)
    return { fulfilled, document, text: lines.join('\n') }
  }
  const id = options.id ?? `${new Date(terminal.now()).toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
  return describeRun(await startJob(session, terminal, { id, spec: await specOf(around, options, id) }, carry))
}

/** In place everything is planned first, so that nothing is written of what is refused. To a side topic a plan would do the work twice. */
async function specOf(around: Around, options: RunOptions, id: string): Promise<JobSpec> {
  if (options.inPlace) {
    const { spec, refused } = await makePlan(around, options)
    if (refused !== undefined) throw new Error(refused)
    return spec
  }
  checkTarget(options)
  const { session, terminal, facts } = around
  const { scope } = await findScope(session, terminal, facts, options)
  checkSideJob(session, terminal, id, scope.source)
  return { target: 'side', scope, rate: options.rate, windowHours: options.windowHours }
}

function checkTarget({ inPlace, sync, deadLetter }: PlanOptions): void {
  if (sync && !inPlace) throw new UsageError('--sync writes to merchants: it goes with --in-place')
  if (deadLetter && inPlace)
    throw new UsageError('In place a dead letter goes back by operator dlq redrive; --dead-letter is for side topics')
}

function createCarrier({ session, terminal, facts }: Around, differences: number): Carrier {
  return async (spec, run) => {
    if (spec.target === 'side') return runSideJob(session, terminal, facts, spec, { ...run, differences })
    await runInPlace(session, facts, spec, { ...run, selection: spec.scope, now: terminal.now })
    return undefined
  }
}

function describeRun({ id, state, written, done, told }: Finished): Answer {
  const goOn = state === 'stopped' ? [`Go on with: operator replay run --resume ${id}`] : []
  const text = [`${id}: ${state}; ${written} records are written.`, ...(told?.lines ?? []), ...goOn]
  return {
    fulfilled: state === 'ended' && (told?.fulfilled ?? true),
    document: { id, state, written, done, ...told?.document },
    text: text.join('\n'),
  }
}

function replayId(text: string): string {
  if (!/^[A-Za-z0-9][\w-]{0,63}$/.test(text))
    throw new InvalidArgumentError('Letters, digits, and _ or - between them are needed, at most 64.')
  return text
}

function syncMerchants(text: string): string[] {
  const [, listed = ''] = /^merchant=(.+)$/.exec(text) ?? []
  const ids = listed.split(',').map((id) => id.trim())
  if (ids.includes('')) throw new InvalidArgumentError('merchant=<id>[,<id>…] is needed.')
  return [...new Set(ids)]
}
