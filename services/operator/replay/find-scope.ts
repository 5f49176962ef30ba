import { header } from '../../../shared/contracts/headers.ts'
import { parsePosition } from '../../../shared/contracts/topics.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { UsageError } from '../answer.ts'
import { readDeadLetters } from '../dlq/read-dead-letters.ts'
import { createSelection } from '../dlq/selection.ts'
import type { KafkaSession } from '../kafka-session.ts'
import type { PointInTime } from '../point-in-time.ts'
import type { Terminal } from '../terminal.ts'
import { type FoundRanges, type Offsets, parseOffsets, rangesOfOffsets, rangesOfTimes, topicsOf } from './find-ranges.ts'
import { offsetsByPartition, type ReplayScope } from './scope.ts'
import type { ReplaySource } from './selection.ts'

/** As the command line has it. */
export type ScopeOptions = {
  source?: ReplaySource
  all?: boolean
  offsets?: string[]
  since?: PointInTime
  until?: PointInTime
  token?: string
  merchant?: string
  deadLetter?: string[]
  retained?: boolean
}

/** More would not fit the audit record that a replay can be gone on with by. */
const mostDeadLetters = 5_000

/** What was chosen, as offsets of the logs as they are now. Throws a sentence for each part that left retention, unless what is left will do. */
export async function findScope(
  session: KafkaSession,
  terminal: Terminal,
  facts: TopicFacts,
  options: ScopeOptions,
): Promise<{ scope: ReplayScope; notes: string[] }> {
  checkOptions(options)
  const { token, merchant, retained = false } = options
  const now = terminal.now()
  const times = { since: options.since?.(now), until: options.until?.(now) }
  if ((times.since ?? 0) >= (times.until ?? now)) throw new UsageError('--since must be before --until, and in the past')
  const offsets = options.offsets?.map(parseOffsets)
  const source = sourceOf(session, options.source, offsets)
  const only = options.deadLetter && (await originsOf(session, terminal, options.deadLetter))
  const positions = only ? spanOf(only) : offsets
  const found = positions
    ? await rangesOfOffsets(facts, positions)
    : await rangesOfTimes(session, facts, source, { ...times, now })
  refuseGone(found, retained)
  const notes = [...found.gone.map((gone) => `Left out: ${gone}.`), ...found.unsure.map((unsure) => `${unsure}.`)]
  return { scope: { source, ranges: found.ranges, ...times, token, merchant, only }, notes }
}

/** Pure. Everything is a choice too: it must be made. */
function checkOptions({ all, offsets, since, until, token, merchant, deadLetter, source }: ScopeOptions): void {
  const chosen = all || offsets || since || until || token || merchant || deadLetter
  if (!chosen)
    throw new UsageError('Say what to replay: --offsets, --since, --until, --token, --merchant, --dead-letter or --all')
  if (deadLetter && (offsets || since || until || token || merchant || all || source === 'events'))
    throw new UsageError('--dead-letter names raw records by itself: leave the other choices out')
  if (token !== undefined && !/^[0-9a-f]{32}$/.test(token))
    throw new UsageError('--token takes a token ref: 32 hex digits, as token.ref of an event')
}

function sourceOf({ topics }: KafkaSession, asked: ReplaySource | undefined, offsets: Offsets[] | undefined): ReplaySource {
  if (!offsets) return asked ?? 'raw'
  const named = new Set(offsets.map(({ topic }) => topic))
  const all: ReplaySource[] = ['raw', 'events']
  const source = all.find((name) => [...named].every((topic) => topicsOf(topics, name).includes(topic)))
  if (!source || (asked && asked !== source)) {
    const known = topicsOf(topics, 'raw').join(' and ')
    throw new UsageError(`--offsets are of ${known}, or of ${topics.events}; --source is what they are of`)
  }
  return source
}

function refuseGone({ gone, ranges }: FoundRanges, retained: boolean): void {
  if (gone.length > 0 && !retained)
    throw new Error(
      `Part of it cannot be replayed, so nothing is:\n${gone.join('\n')}\nChoose a later beginning, or --retained: what is still there`,
    )
  if (ranges.length === 0)
    throw new Error(`Nothing to replay: no record is there.${gone.length > 0 ? ` ${gone.join('; ')}` : ''}`)
}

/** The raw records that dead letters are of. */
async function originsOf(session: KafkaSession, terminal: Terminal, positions: string[]): Promise<string[]> {
  if (positions.length > mostDeadLetters) throw new UsageError(`--dead-letter: at most ${mostDeadLetters} at once`)
  const selection = createSelection({}, positions, session.topics, terminal.now())
  const { letters } = await readDeadLetters(session, terminal, selection, positions.length)
  const missing = positions.filter((position) => !letters.some((letter) => letter.position === position))
  if (missing.length > 0) throw new Error(`There is no dead letter at ${missing.join(', ')}: retention may have removed it`)
  return letters.map(({ position, origin }) => {
    const topic = parsePosition(origin)?.topic
    if (topic !== undefined && topicsOf(session.topics, 'raw').includes(topic)) return origin
    throw new Error(
      `${position} is of no raw record: its ${header.origin} is ${origin || 'missing'}. Redrive it (operator dlq redrive)`,
    )
  })
}

/** One span of each partition that holds all positions. */
function spanOf(positions: string[]): Offsets[] {
  return [...offsetsByPartition(positions)].map(([where, offsets]) => {
    const { topic, partition } = parsePosition(`${where}/0`) as { topic: string; partition: number }
    return { topic, partition, first: Math.min(...offsets), last: Math.max(...offsets) }
  })
}
