import { type Command, Option } from 'commander'
import { defaultWindowHours } from '../../shared/contracts/deduplication-key.ts'
import { header } from '../../shared/contracts/headers.ts'
import { stageNames } from '../../shared/contracts/topics.ts'
import { type Answer, table, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, wholeNumber } from './command.ts'
import { printable, shownKey } from './dlq/dead-letter.ts'
import { describeDeadLetter, linesOf } from './dlq/describe.ts'
import { moreLines, readDeadLetters, type Selected } from './dlq/read-dead-letters.ts'
import { createSelection, type SelectionOptions } from './dlq/selection.ts'
import { sendBack } from './dlq/send-back.ts'
import { type KafkaSession, openKafka } from './kafka-session.ts'
import { pointInTime } from './point-in-time.ts'
import type { Terminal } from './terminal.ts'

type ListOptions = CommonOptions & SelectionOptions & { limit: number }
type WindowOptions = CommonOptions & { windowHours: number }
type RedriveOptions = ListOptions & WindowOptions & { confirm?: number }

/** What one audit record can name, well below the broker's 1 MiB. */
const mostAtOnce = 10_000
const hourMs = 60 * 60 * 1000

/** `operator dlq list|show|redrive`: what the stages gave up on, and the way back. */
export function addDlqCommand(program: Command, { terminal, perform }: Frame): void {
  const dlq = program.command('dlq').description('dead letters: what a stage gave up on, and the way back')

  withSelection(
    defineCommand(dlq, 'list', {
      summary: 'count dead letters by stage and reason, and list them',
      examples: ['dlq list', 'dlq list --stage normalizer --reason unknown-type --since 12h --json'],
    }),
    100,
  ).action(
    perform(async ({ limit, ...options }: ListOptions) => {
      const session = openKafka(terminal)
      return describeList(await readDeadLetters(session, terminal, selectionOf(session, terminal, options), limit))
    }),
  )

  withWindow(
    defineCommand(dlq, 'show', {
      summary: 'show one dead letter: headers, reason, sizes, and where a redrive would put it; never a credential',
      examples: ['dlq show normalizer.dlq.v1/3/17'],
    }).argument('<position>', 'topic/partition/offset of the dead letter, as list shows it'),
  ).action(
    perform(async (position: string, options: WindowOptions): Promise<Answer> => {
      const session = openKafka(terminal)
      const { letters } = await readDeadLetters(session, terminal, selectionOf(session, terminal, {}, [position]), 1)
      const [letter] = letters
      if (!letter) throw new Error(`There is no dead letter at ${position}: retention may have removed it`)
      const document = describeDeadLetter(letter, rulesOf(session, terminal, options))
      return { fulfilled: true, document, text: linesOf(document).join('\n') }
    }),
  )

  withWindow(
    withSelection(
      defineCommand(dlq, 'redrive', {
        summary: 'send dead letters back to where they fell out, as new records',
        examples: [
          'dlq redrive --stage normalizer --reason unknown-type --dry-run',
          'dlq redrive --stage normalizer --reason unknown-type --confirm 12',
          'dlq redrive normalizer.dlq.v1/3/17 normalizer.dlq.v1/3/19 --confirm 2',
        ],
        details:
          'For after what was wrong has been mended: what still cannot be understood becomes a dead letter again. The dead letters stay where\n' +
          'they are. Redriving one again, or from two terminals at once, makes at most one event, because only dead letters are taken whose\n' +
          'notification was accepted within the de-duplication window. Each redrive is recorded in the audit trail before it begins.',
        changes: true,
      }).argument('[positions...]', 'only these dead letters'),
      1_000,
    ),
  )
    .option('--confirm <count>', 'how many are to be redriven, as --dry-run says; with any other number nothing is', wholeNumber)
    .action(
      perform(async (positions: string[], options: RedriveOptions): Promise<Answer> => {
        if (options.limit > mostAtOnce)
          throw new UsageError(`--limit ${options.limit}: at most ${mostAtOnce} at once; go on with --after`)
        const session = openKafka(terminal)
        const selection = selectionOf(session, terminal, options, positions)
        const selected = await readDeadLetters(session, terminal, selection, options.limit)
        checkAllFound(positions, selected)
        return sendBack(session, terminal, selected, { ...options, rules: rulesOf(session, terminal, options) })
      }),
    )
}

function withSelection(command: Command, limit: number): Command {
  return command
    .addOption(new Option('--stage <stage>', 'only what this stage gave up on').choices(stageNames))
    .option('--reason <code>', 'only with this reason')
    .option(
      '--since <time>',
      'only given up on at this time or later: 90m, 12h or 3d ago, or a date or time with its zone',
      pointInTime,
    )
    .option('--until <time>', 'only given up on before this time', pointInTime)
    .option('--key <key>', 'only with this record key')
    .option('--partition <number>', 'only of this partition of the dead letter topic', wholeNumber)
    .option('--from <offset>', 'with --partition: first offset', wholeNumber)
    .option('--to <offset>', 'with --partition: last offset', wholeNumber)
    .option('--after <position>', 'only what the list has behind this dead letter')
    .option('--limit <count>', 'at most this many, in the order of the list', positiveInteger, limit)
}

const withWindow = (command: Command) =>
  command.option(
    '--window-hours <hours>',
    "the deduplicator's WINDOW_HOURS; older ones are refused",
    positiveInteger,
    defaultWindowHours,
  )

const selectionOf = ({ topics }: KafkaSession, terminal: Terminal, options: SelectionOptions, positions: string[] = []) =>
  createSelection(options, positions, topics, terminal.now())

const rulesOf = ({ topics }: KafkaSession, terminal: Terminal, { windowHours }: { windowHours: number }) => ({
  topics,
  windowMs: windowHours * hourMs,
  now: terminal.now(),
})

function describeList({ total, counts, letters, after }: Selected): Answer {
  const entries = letters.map(({ position, stage, reason, failedAt, origin, record }) => ({
    position,
    stage,
    reason: printable(reason),
    failedAt: printable(failedAt),
    key: shownKey(record.key),
    origin: printable(origin),
    ...(record.headers[header.redriveOf] && { redriveOf: printable(record.headers[header.redriveOf] ?? '') }),
  }))
  const document = {
    total,
    counts: counts.map((one) => ({ ...one, reason: printable(one.reason) })),
    entries,
    ...(after && { after }),
  }
  if (total === 0) return { fulfilled: true, document, text: 'No dead letters.' }
  const text = [
    table(
      ['stage', 'reason', 'count'],
      document.counts.map(({ stage, reason, count }) => [stage, reason, String(count)]),
    ),
    '',
    table(
      ['position', 'reason', 'when', 'key', 'origin'],
      entries.map(({ position, reason, failedAt, key, origin }) => [position, reason, failedAt, key, origin]),
    ),
    ...moreLines({ total, letters, after }),
  ]
  return { fulfilled: true, document, text: text.join('\n') }
}

function checkAllFound(positions: string[], { letters, total }: Selected): void {
  const found = new Set(letters.map(({ position }) => position))
  const missing = positions.filter((position) => !found.has(position))
  if (missing.length > 0 && total === letters.length)
    throw new Error(`Not there, or not of this selection: ${missing.join(', ')}. Nothing was redriven`)
}
