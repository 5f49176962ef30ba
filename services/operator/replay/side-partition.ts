import { originOf, positionOf, type SourceRecord } from '../../../shared/kafka/record.ts'
import type { NormalizerDeps } from '../../../shared/normalize/normalize.ts'
import type { KafkaSession } from '../kafka-session.ts'
import type { ReplayRange, ReplaySelection } from './selection.ts'
import { type Cursor, openCursor } from './side-cursor.ts'
import { createJudge, type Ending } from './side-ending.ts'
import { openLive } from './side-live.ts'
import { lagMs, type Part, type PartitionScope } from './side-scope.ts'
import { inLiveOrder, type Slot } from './side-slots.ts'

/** `normalizer`: its keys; undefined for a replay from events. */
export type SideJob = { windowMs: number; normalizer: NormalizerDeps | undefined }

/** `in-flight`: the stages have not got there. `left-retention`: it may have had one. `none`: there should be one. */
export type NoEnding = 'in-flight' | 'left-retention' | 'none'

/** One notification of the range, judged again. */
export type Replayed = {
  origin: string
  today: Ending
  live: Ending | NoEnding
  /** False: copies within its window may have left retention, so it may have been a duplicate, or late. */
  certain: boolean
  wanted: boolean
  /** All of this range before `next` has been replayed. */
  range: ReplayRange
  next: number
}

/** Replays one partition's part of a selection, in the order in which it was judged. */
export async function* replayPartition(
  session: KafkaSession,
  { source, wants = () => true }: ReplaySelection,
  scope: PartitionScope,
  job: SideJob,
): AsyncGenerator<Replayed> {
  const { topics } = session
  const opened: Cursor[] = []
  const open = (range: ReplayRange): Cursor => {
    const cursor = openCursor(session, range)
    opened.push(cursor)
    return cursor
  }
  try {
    const normalized = open(scope.normalized)
    const raws = new Map(scope.raws.map((range) => [range.topic, open(range)]))
    const outcomes = [scope.events, scope.duplicates, scope.deduplicatorDeadLetters, scope.normalizerDeadLetters]
    const cursors = outcomes.map(open) as [Cursor, Cursor, Cursor, Cursor]
    const [events, duplicates, deduplicatorDeadLetters, normalizerDeadLetters] = cursors
    const outcomesKeptSince = Math.max(...(await Promise.all(outcomes.map((part, index) => keptSince(part, cursors[index])))))
    const orderKeptSince = await keptSince(scope.normalized, normalized)
    const certainAfter = orderKeptSince + job.windowMs + lagMs
    const live = await openLive(topics, { events, duplicates, deduplicatorDeadLetters, normalizerDeadLetters })
    const judge = createJudge({ topics, ...job })
    const rangeOf = source === 'raw' ? rawRangeOf(scope) : eventRangeOf(scope, originOf((await events.head()) ?? nothing))

    for await (const slot of inLiveOrder(normalized, raws)) {
      const today = judge.judge(slot)
      const range = rangeOf(slot)
      if (!range) {
        live.pass(slot)
        continue
      }
      const ending = (await live.endingOf(slot)) ?? withoutEnding(slot, scope, outcomesKeptSince)
      if (ending === 'none' || ending === 'left-retention') refuseWithoutOrder(slot, scope, orderKeptSince)
      const asked = slot.raw ? [slot.raw] : [today, ending].flatMap((one) => asEvent(one, range))
      const following = slot.raw ? slot.raw.offset + 1 : (await events.head())?.offset
      yield {
        ...{ origin: originOfSlot(slot), today, live: ending, range },
        certain: judge.logTime() > certainAfter,
        wanted: asked.some(wants),
        next: following ?? range.to,
      }
      if (following === undefined) return
    }
  } finally {
    await Promise.all(opened.map((cursor) => cursor.close()))
  }
}

const nothing: SourceRecord = { topic: '', partition: 0, offset: 0, timestamp: 0, key: null, value: null, headers: {} }
const recordOf = ({ normalized, raw }: Slot) => (raw ?? normalized) as SourceRecord
const originOfSlot = ({ normalized, raw }: Slot) => (raw ? positionOf(raw) : originOf(normalized as SourceRecord))

/** Which of the ranges a slot is of, if it is. */
type RangeOf = (slot: Slot) => ReplayRange | undefined

function rawRangeOf({ ranges }: PartitionScope): RangeOf {
  const byTopic = new Map(ranges.map((range) => [range.topic, range]))
  return ({ raw }) => {
    const range = raw && byTopic.get(raw.topic)
    return range && raw.offset >= range.from ? range : undefined
  }
}

/** From the slot of the range's first event on; when its last has been met, the replay ends. */
function eventRangeOf({ ranges: [range] }: PartitionScope, firstOrigin: string): RangeOf {
  let begun = false
  return (slot) => {
    begun ||= originOfSlot(slot) === firstOrigin
    return begun ? range : undefined
  }
}

/** What left a topic's retention is older than its first record, or nearly so. */
async function keptSince({ truncated }: Part, cursor: Cursor | undefined): Promise<number> {
  if (!truncated) return Number.NEGATIVE_INFINITY
  return (await cursor?.head())?.timestamp ?? Number.POSITIVE_INFINITY
}

/** Without an outcome: not yet, no longer, or never. */
function withoutEnding(slot: Slot, { committed }: PartitionScope, outcomesKeptSince: number): NoEnding {
  const { topic, partition, offset, timestamp } = slot.normalized ?? recordOf(slot)
  if (offset >= (committed.get(`${topic}/${partition}`) ?? 0)) return 'in-flight'
  return timestamp < outcomesKeptSince + lagMs ? 'left-retention' : 'none'
}

/** What has left the normalized topic may still be there raw, but not the order in which it was judged. */
function refuseWithoutOrder({ normalized, raw }: Slot, scope: PartitionScope, keptSince: number): void {
  if (normalized || !raw || raw.timestamp >= keptSince + lagMs) return
  const later = Number.isFinite(keptSince) ? new Date(keptSince).toISOString() : 'now'
  throw new Error(
    `${positionOf(raw)} has left ${scope.normalized.topic}, and with it the order in which it was judged. Choose a range of what was accepted after ${later}`,
  )
}

function asEvent(ending: Ending | NoEnding, { topic, partition }: ReplayRange): SourceRecord[] {
  return typeof ending === 'object' && ending.kind === 'event' ? [{ ...nothing, topic, partition, ...ending.record }] : []
}
