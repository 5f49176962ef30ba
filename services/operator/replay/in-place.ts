/**
 * Replay in place: the raw records of a range once more into their own raw partitions, while the pipeline is live. Each copy ends as a duplicate, so
 * `token-events.v1` gets nothing, as long as the window of its original has not ended when the pipeline comes to the copy. Hence the margin: so
 * long may the pipeline lag behind the copies. Left out are earlier copies (else replaying everything twice would double it twice), and
 * what ended as a dead letter: a newer version might understand it, which makes it a redrive.
 */
import { header } from '../../../shared/contracts/headers.ts'
import type { AppendedRecord } from '../../../shared/kafka/append.ts'
import { positionOf, type SourceRecord } from '../../../shared/kafka/record.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { readRanges } from './read-ranges.ts'
import { addPosition, type ReplayScope, whereOf } from './scope.ts'
import { rangesBehind, selectionOf } from './wanted.ts'

const hourMs = 60 * 60 * 1000
const marginMs = hourMs

export type InPlacePlan = {
  /** Raw records that would be appended again. */
  copies: number
  leftOut: { notSelected: number; earlierCopies: number; deadLetters: number }
  /** By `topic/partition`, those that cannot be replayed in place any more. */
  tooOld: Map<string, { count: number; first: number; last: number }>
}

export type JudgeRaw = (record: SourceRecord) => 'copy' | 'not-selected' | 'earlier-copy' | 'dead-letter' | 'too-old'

/** Judges the raw records of a scope. `now` is asked at each record: a slow replay may be overtaken by the window. */
export async function createJudge(
  session: KafkaSession,
  facts: TopicFacts,
  scope: ReplayScope,
  { windowHours, now }: { windowHours: number; now: () => number },
): Promise<JudgeRaw> {
  const { wants = () => true } = await selectionOf(session, facts, scope)
  const dead = await deadOrigins(session, facts, scope)
  const maxAgeMs = windowHours * hourMs - marginMs
  return (record) => {
    if (!wants(record)) return 'not-selected'
    if (record.headers[header.replayId] !== undefined) return 'earlier-copy'
    if (dead.get(whereOf(record))?.has(record.offset)) return 'dead-letter'
    return now() - record.timestamp > maxAgeMs ? 'too-old' : 'copy'
  }
}

/** Reads all of it and writes nothing. */
export async function planInPlace(
  session: KafkaSession,
  scope: ReplayScope,
  judge: JudgeRaw,
  onRead: (offsets: number) => void,
): Promise<InPlacePlan> {
  const plan: InPlacePlan = { copies: 0, leftOut: { notSelected: 0, earlierCopies: 0, deadLetters: 0 }, tooOld: new Map() }
  const reached = new Map(scope.ranges.map((range) => [whereOf(range), range.from]))
  let read = 0
  await readRanges(session, scope.ranges, (records, range, end) => {
    for (const record of records) count(plan, record, judge(record))
    read += end - (reached.get(whereOf(range)) ?? end)
    reached.set(whereOf(range), end)
    onRead(read)
  })
  return plan
}

function count(plan: InPlacePlan, { topic, partition, offset }: SourceRecord, verdict: ReturnType<JudgeRaw>): void {
  switch (verdict) {
    case 'copy':
      plan.copies++
      return
    case 'not-selected':
      plan.leftOut.notSelected++
      return
    case 'earlier-copy':
      plan.leftOut.earlierCopies++
      return
    case 'dead-letter':
      plan.leftOut.deadLetters++
      return
    case 'too-old': {
      const where = whereOf({ topic, partition })
      const before = plan.tooOld.get(where) ?? { count: 0, first: offset }
      plan.tooOld.set(where, { ...before, count: before.count + 1, last: offset })
    }
  }
}

/** One sentence for all that is older than the window allows; undefined if nothing is. */
export function refusalOf({ tooOld }: InPlacePlan, windowHours: number): string | undefined {
  if (tooOld.size === 0) return undefined
  const parts = [...tooOld].map(([where, { count, first, last }]) => `${where}: ${count} records of offsets ${first} to ${last}`)
  return `${tooOldBecause(windowHours)}\n${parts.join('\n')}\nReplay them to a side topic (without --in-place). For syncs alone: --source events --in-place --sync`
}

const tooOldBecause = (windowHours: number) =>
  `Accepted more than ${windowHours - marginMs / hourMs} hours ago: the de-duplication window of ${windowHours} hours may end before the pipeline comes to the copy, which would then be an event again.`

/** The record once more, for its own partition; undefined if it is left out. Throws for one that the window has overtaken. */
export function copyOf(record: SourceRecord, verdict: ReturnType<JudgeRaw>, id: string, windowHours: number): AppendedRecord[] {
  if (verdict === 'too-old')
    throw new Error(`${positionOf(record)}: ${tooOldBecause(windowHours)} Replay the rest to a side topic`)
  if (verdict !== 'copy') return []
  const { topic, partition, key, value, headers } = record
  return [{ topic, partition, key, value, headers: { ...headers, [header.replayId]: id } }]
}

async function deadOrigins(session: KafkaSession, facts: TopicFacts, { ranges }: ReplayScope) {
  const origins = new Map<string, Set<number>>()
  const { normalizer, deduplicator } = session.topics.deadLetters
  for (const topic of [normalizer, deduplicator])
    await readRanges(session, await rangesBehind(session, facts, topic, ranges), (records) => {
      for (const { headers } of records) addPosition(origins, headers[header.origin] ?? '')
    })
  return origins
}
