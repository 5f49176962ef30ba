import { randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { defaultWindowHours } from '../../shared/contracts/deduplication-key.ts'
import { openTopicFacts, type TopicFacts } from '../../shared/kafka/topic-facts.ts'
import { type Answer, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, positiveNumber } from './command.ts'
import { type KafkaSession, openKafka } from './kafka-session.ts'
import { pointInTime } from './point-in-time.ts'
import { describeJobs } from './replay/describe-jobs.ts'
import { addGroupCommand } from './replay/group-command.ts'
import { openJournal } from './replay/journal.ts'
import { type InPlaceOptions, type Plan, planInPlaceJob } from './replay/plan-job.ts'
import { runInPlace } from './replay/run-in-place.ts'
import { type Carrier, type Finished, resumeJob, startJob } from './replay/run-job.ts'
import { stopJob } from './replay/stop-job.ts'
import type { Terminal } from './terminal.ts'

type PlanOptions = CommonOptions & InPlaceOptions & { inPlace?: boolean }
type RunOptions = PlanOptions & { id?: string; resume?: string }

const choosing =
  'What: --offsets, times, --token, --merchant and --source must all hold for a record; --dead-letter stands alone. What left retention is\n' +
  'refused by name, or left out with --retained.\n'
const inPlace =
  '--in-place appends raw records of the last days to their own partitions again, while the pipeline runs. Each copy ends as a duplicate,\n' +
  'so token-events.v1 gets nothing; older ones are refused. Merchants get syncs again only with --sync, and only those named.'

/** `operator replay plan|run|status|stop|group`: reading again what Kafka still has. */
export function addReplayCommand(program: Command, frame: Frame): void {
  const { terminal, perform } = frame
  const replay = program
    .command('replay')
    .description('read again what Kafka still has: to a side topic, in place, or by a group')

  withSelection(
    defineCommand(replay, 'plan', {
      summary: 'show what run would do; changes nothing',
      examples: ['replay plan --in-place --since 2h', 'replay plan --in-place --source events --since 1d --sync merchant=M-1001'],
      details: choosing + inPlace,
    }),
  ).action(
    perform((options: PlanOptions) => withFacts(terminal, (session, facts) => showPlan(session, terminal, facts, options))),
  )

  withSelection(
    defineCommand(replay, 'run', {
      summary: 'replay, with a record in the audit trail; Ctrl-C or stop ends it where it can go on',
      examples: [
        'replay run --in-place --offsets notifications.bluepay.raw.v1/3/100-199',
        'replay run --in-place --source events --since 1d --sync merchant=M-1001,M-1002 --rate 200 --id outage-of-m1001',
        'replay run --resume outage-of-m1001',
      ],
      details: choosing + inPlace,
      changes: true,
    }),
  )
    .option('--id <name>', 'the value of replay-id (default: the date and some digits)', replayId)
    .option('--resume <id>', 'go on with a replay that was stopped, has failed or was killed; takes no other choice')
    .action(perform((options: RunOptions) => withFacts(terminal, (session, facts) => run(session, terminal, facts, options))))

  defineCommand(replay, 'status', {
    summary: 'show all replays, as the audit trail has them',
    examples: ['replay status', 'replay status outage-of-m1001 --json'],
  })
    .argument('[id]', 'only this one')
    .action(
      perform(async (id: string | undefined, _options: CommonOptions) => {
        const journal = await openJournal(openKafka(terminal), terminal)
        const jobs = journal.jobs().filter((job) => id === undefined || job.id === id)
        await journal.close()
        if (id !== undefined && jobs.length === 0) throw new Error(`There is no replay ${id}`)
        return describeJobs(jobs, terminal.now())
      }),
    )

  defineCommand(replay, 'stop', {
    summary: 'stop a replay, wherever it runs; run --resume goes on',
    examples: ['replay stop outage-of-m1001'],
    changes: true,
  })
    .argument('<id>', 'the replay')
    .action(perform((id: string, { dryRun = false }: CommonOptions) => stopJob(openKafka(terminal), terminal, id, dryRun)))

  addGroupCommand(replay, frame)
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
    .option('--window-hours <hours>', "the deduplicator's WINDOW_HOURS", positiveInteger, defaultWindowHours)
}

async function withFacts<T>(terminal: Terminal, work: (session: KafkaSession, facts: TopicFacts) => Promise<T>): Promise<T> {
  const session = openKafka(terminal)
  const facts = await openTopicFacts(session.kafka)
  return work(session, facts).finally(facts.close)
}

async function showPlan(session: KafkaSession, terminal: Terminal, facts: TopicFacts, options: PlanOptions): Promise<Answer> {
  const { document, lines, refused } = await makePlan(session, terminal, facts, options)
  return { fulfilled: refused === undefined, document, text: lines.join('\n') }
}

async function makePlan(session: KafkaSession, terminal: Terminal, facts: TopicFacts, options: PlanOptions): Promise<Plan> {
  if (!options.inPlace) throw new UsageError('--in-place is needed')
  if (options.deadLetter)
    throw new UsageError('A dead letter goes back by operator dlq redrive; --dead-letter is for side topics')
  return planInPlaceJob(session, terminal, facts, options)
}

async function run(session: KafkaSession, terminal: Terminal, facts: TopicFacts, options: RunOptions): Promise<Answer> {
  const carry: Carrier = (spec, run) => runInPlace(session, facts, spec, { ...run, selection: spec.scope, now: terminal.now })
  if (options.resume !== undefined) return describeRun(await resumeJob(session, terminal, options.resume, carry))
  const { spec, document, lines, refused } = await makePlan(session, terminal, facts, options)
  if (refused !== undefined) throw new Error(refused)
  if (options.dryRun) return { fulfilled: true, document, text: lines.join('\n') }
  const id = options.id ?? `${new Date(terminal.now()).toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
  return describeRun(await startJob(session, terminal, { id, spec }, carry))
}

function describeRun({ id, state, written, done }: Finished): Answer {
  const text =
    state === 'ended'
      ? `${id}: ${written} records written.`
      : `${id}: stopped; ${written} records are written. Go on with: operator replay run --resume ${id}`
  return { fulfilled: state === 'ended', document: { id, state, written, done }, text }
}

function replayId(text: string): string {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(text))
    throw new InvalidArgumentError('Letters, digits, and . _ - between them are needed, at most 64.')
  return text
}

function syncMerchants(text: string): string[] {
  const ids =
    /^merchant=(.+)$/
      .exec(text)?.[1]
      ?.split(',')
      .map((id) => id.trim()) ?? []
  if (ids.length === 0 || ids.includes('')) throw new InvalidArgumentError('merchant=<id>[,<id>…] is needed.')
  return [...new Set(ids)]
}
