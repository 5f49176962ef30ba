import { providers, type Topics } from '../../../shared/contracts/topics.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { firstRecords } from './read-ranges.ts'
import type { ReplayRange, ReplaySource } from './selection.ts'

/**
 * Ranges that are still there. `gone`: a sentence for each part that left retention. `unsure`: for each partition that begins later than asked for,
 * although retention by time cannot be why (somebody deleted records, or there is a limit by size).
 */
export type FoundRanges = { ranges: ReplayRange[]; gone: string[]; unsure: string[] }

/** One partition's offsets as the command line has them: the whole partition, one offset, or the first and the last. */
export type Offsets = { topic: string; partition: number; first?: number; last?: number }

export const topicsOf = (topics: Topics, source: ReplaySource): string[] =>
  source === 'raw' ? providers.map((provider) => topics.raw[provider]) : [topics.events]

/** Throws UsageError for what is none, such as `token-events.v1/3/100-199`. Pure. */
export function parseOffsets(text: string): Offsets {
  const [, topic, partition, first, last] = /^([\w.-]+)\/(\d{1,9})(?:\/(\d{1,15})(?:-(\d{1,15}))?)?$/.exec(text) ?? []
  if (topic === undefined || (last !== undefined && Number(last) < Number(first)))
    throw new UsageError(`${text}: offsets are topic/partition, topic/partition/17, or topic/partition/17-42 with both included`)
  if (first === undefined) return { topic, partition: Number(partition) }
  return { topic, partition: Number(partition), first: Number(first), last: Number(last ?? first) }
}

/** Throws UsageError for offsets that were never there. */
export async function rangesOfOffsets(facts: TopicFacts, wanted: Offsets[]): Promise<FoundRanges> {
  const found: FoundRanges = { ranges: [], gone: [], unsure: [] }
  for (const { topic, partition, first, last } of wanted) {
    const where = `${topic}/${partition}`
    if (found.ranges.some((range) => `${range.topic}/${range.partition}` === where))
      throw new UsageError(`${where} is named twice: one range of each partition`)
    const bounds = (await facts.allBounds(topic)).get(partition)
    if (!bounds) throw new UsageError(`${topic} has no partition ${partition}`)
    const { low, high } = bounds
    const [from, to] = [first ?? low, (last ?? high - 1) + 1]
    if (to > high) throw new UsageError(`${where} ends before offset ${high}: ${from}-${to - 1} is not there yet`)
    if (from < low) found.gone.push(`${where}: offsets ${from} to ${Math.min(to, low) - 1} left retention`)
    if (Math.max(from, low) < to) found.ranges.push({ topic, partition, from: Math.max(from, low), to })
  }
  return found
}

/**
 * What was accepted in [since, until), of all partitions. Events lie in the order of their acceptance only by token, so theirs are read to the
 * end, and each record's own time decides.
 */
export async function rangesOfTimes(
  session: KafkaSession,
  facts: TopicFacts,
  source: ReplaySource,
  { since, until, now }: { since?: number | undefined; until?: number | undefined; now: number },
): Promise<FoundRanges> {
  const ranges: ReplayRange[] = []
  const begins: ReplayRange[] = []
  for (const topic of topicsOf(session.topics, source)) {
    const starts = since === undefined ? undefined : await startsAt(session, facts, topic, since)
    const ends = until === undefined || source === 'events' ? undefined : await facts.allOffsetsAt(topic, until)
    for (const [partition, { low, high }] of await facts.allBounds(topic)) {
      const from = Math.max(low, starts?.get(partition) ?? low)
      const to = Math.min(high, ends?.get(partition) ?? high)
      if (from === low) begins.push({ topic, partition, from: low, to: high })
      if (from < to) ranges.push({ topic, partition, from, to })
    }
  }
  return { ranges, ...(await lostBefore(session, facts, begins, { since, now })) }
}

/**
 * The first offset with this time or a later one, by partition; the end where there is none. Kafka also says the end for a time before the first
 * record of a log whose first records were deleted (`TopicFacts.startAt`): there that record is looked at.
 */
export async function startsAt(
  session: KafkaSession,
  facts: TopicFacts,
  topic: string,
  timestamp: number,
): Promise<Map<number, number>> {
  const starts = await facts.allOffsetsAt(topic, timestamp)
  const bounds = [...(await facts.allBounds(topic))]
  const doubtful = bounds.filter(([partition, { low, high }]) => low > 0 && low < high && (starts.get(partition) ?? high) >= high)
  const ranges = doubtful.map(([partition, { low, high }]) => ({ topic, partition, from: low, to: high }))
  for (const [{ partition, from }, first] of await firstRecords(session, ranges))
    if (first.timestamp >= timestamp) starts.set(partition, from)
  return starts
}

/** What may have been there before these beginnings of logs, of what was accepted since then. */
export async function lostBefore(
  session: KafkaSession,
  facts: TopicFacts,
  begins: ReplayRange[],
  { since, now }: { since: number | undefined; now: number },
): Promise<Pick<FoundRanges, 'gone' | 'unsure'>> {
  const lost: Pick<FoundRanges, 'gone' | 'unsure'> = { gone: [], unsure: [] }
  if (since === undefined) return lost
  const cut = begins.filter(({ from }) => from > 0)
  const firsts = await firstRecords(session, cut)
  for (const range of cut) {
    const first = firsts.get(range)
    if (first && first.timestamp <= since) continue
    const before = `offsets up to ${range.from - 1}${first ? `, accepted before ${new Date(first.timestamp).toISOString()},` : ''}`
    const where = `${range.topic}/${range.partition}`
    if (since < now - (await facts.retentionMs(range.topic))) lost.gone.push(`${where}: ${before} left retention`)
    else if (first) lost.unsure.push(`${where}: ${before} were deleted; whether any was of this range cannot be told`)
  }
  return lost
}
