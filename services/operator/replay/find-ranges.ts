import { providers, type Topics } from '../../../shared/contracts/topics.ts'
import type { Bounds, TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { firstRecord } from './read-ranges.ts'
import type { ReplayRange, ReplaySource } from './selection.ts'

/** Ranges that are still there, and a sentence for each part that left retention. */
export type FoundRanges = { ranges: ReplayRange[]; gone: string[] }

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
  const found: FoundRanges = { ranges: [], gone: [] }
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
  { since, until }: { since?: number | undefined; until?: number | undefined },
): Promise<FoundRanges> {
  const found: FoundRanges = { ranges: [], gone: [] }
  for (const topic of topicsOf(session.topics, source)) {
    const starts = since === undefined ? undefined : await facts.allOffsetsAt(topic, since)
    const ends = until === undefined || source === 'events' ? undefined : await facts.allOffsetsAt(topic, until)
    for (const [partition, bounds] of await facts.allBounds(topic)) {
      const from = Math.max(bounds.low, starts?.get(partition) ?? bounds.low)
      const to = Math.min(bounds.high, ends?.get(partition) ?? bounds.high)
      const gone = since !== undefined && from === bounds.low && (await goneSince(session, { topic, partition, bounds, since }))
      if (gone) found.gone.push(gone)
      if (from < to) found.ranges.push({ topic, partition, from, to })
    }
  }
  return found
}

type Beginning = { topic: string; partition: number; bounds: Bounds; since: number }

/** A sentence if everything that is left is younger than asked for: what was before it may have been young enough. */
export async function goneSince(
  session: KafkaSession,
  { topic, partition, bounds, since }: Beginning,
): Promise<string | undefined> {
  if (bounds.low === 0) return undefined
  const first = await firstRecord(session, { topic, partition, from: bounds.low, to: bounds.high })
  if (first && first.timestamp <= since) return undefined
  const until = first ? `before ${new Date(first.timestamp).toISOString()}` : 'until now'
  return `${topic}/${partition}: what was accepted ${until} (offsets up to ${bounds.low - 1}) left retention`
}
