/** What a replay to a side topic reads, partition by partition, and what it cannot do. */
import { groupId } from '../../../shared/contracts/topics.ts'
import type { Bounds, TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { firstRecord } from './read-ranges.ts'
import type { ReplayRange, ReplaySelection } from './selection.ts'

/** `truncated`: what was before `from` has left retention, and might have mattered. */
export type Part = ReplayRange & { truncated: boolean }

export type PartitionScope = {
  partition: number
  /** When the first notification of the ranges was accepted: milliseconds since 1970. */
  begin: number
  /** Of the selection: of raw topics, or the one of the public topic. */
  ranges: ReplayRange[]
  /** The ranges of raw topics, begun one window early; empty for a replay from events. */
  raws: ReplayRange[]
  normalized: Part
  events: Part
  duplicates: Part
  deduplicatorDeadLetters: Part
  normalizerDeadLetters: Part
  /** How far the stages were before all bounds were asked for, by `topic/partition` of their sources: without outcome beyond it is in flight. */
  committed: Map<string, number>
}

/** How far apart records with increasing offsets may go back in time: raw topics lag apart, and clocks of brokers are set. */
export const lagMs = 60 * 60 * 1000

/** Throws a sentence for each range that cannot be replayed. Partitions without a record are left out. */
export async function scopeOf(
  session: KafkaSession,
  facts: TopicFacts,
  { source, ranges }: ReplaySelection,
  windowMs: number,
): Promise<PartitionScope[]> {
  const { topics, topicPrefix } = session
  const committed = new Map<string, number>()
  const note = async (stage: 'normalizer' | 'deduplicator', topic: string) => {
    for (const [partition, offset] of await facts.allCommitted(groupId(stage, topicPrefix), topic))
      committed.set(`${topic}/${partition}`, offset)
  }
  for (const topic of Object.values(topics.raw)) await note('normalizer', topic)
  await note('deduplicator', topics.normalized)
  const bounds = new Map<string, Map<number, Bounds>>()
  for (const topic of [...Object.values(topics.raw), ...outcomesOf(session), topics.normalized])
    bounds.set(topic, await facts.allBounds(topic))
  const boundsOf = (topic: string, partition: number) => bounds.get(topic)?.get(partition) ?? { low: 0, high: 0 }
  refuseGone(ranges, boundsOf)

  async function since(topic: string, partition: number, timestamp: number): Promise<Part> {
    const { low, high } = boundsOf(topic, partition)
    const from = await facts.startAt(topic, partition, timestamp)
    return { topic, partition, from, to: Math.max(from, high), truncated: from === low && low > 0 }
  }

  const scopes = [...Map.groupBy(ranges, ({ partition }) => partition)].map(async ([partition, own]) => {
    const firsts = await Promise.all(own.map((range) => firstRecord(session, range)))
    const begin = Math.min(...firsts.flatMap((record) => (record ? [record.timestamp] : [])))
    if (begin === Number.POSITIVE_INFINITY) return undefined
    const early = begin - windowMs
    const normalized = await since(topics.normalized, partition, early)
    const raws = source === 'events' ? [] : own
    return {
      ...{ partition, begin, ranges: own, normalized, committed },
      raws: await Promise.all(
        raws.map(async (range) => ({ ...range, from: Math.min(range.from, (await since(range.topic, partition, early)).from) })),
      ),
      events:
        source === 'events'
          ? { ...(own[0] as ReplayRange), truncated: false }
          : await since(topics.events, partition, begin - lagMs),
      duplicates: await since(topics.duplicates, partition, begin - lagMs),
      deduplicatorDeadLetters: await since(topics.deadLetters.deduplicator, partition, begin - lagMs),
      normalizerDeadLetters: await since(topics.deadLetters.normalizer, partition, begin - lagMs),
    }
  })
  const found = await Promise.all(scopes)
  return found.filter((scope) => scope !== undefined).sort((a, b) => a.partition - b.partition)
}

const outcomesOf = ({ topics }: KafkaSession): string[] => [
  ...[topics.events, topics.duplicates],
  ...[topics.deadLetters.normalizer, topics.deadLetters.deduplicator],
]

function refuseGone(ranges: ReplayRange[], boundsOf: (topic: string, partition: number) => Bounds): void {
  const gone = ranges.flatMap(({ topic, partition, from, to }) => {
    const { low } = boundsOf(topic, partition)
    return from < low ? [`${topic}/${partition}: offsets ${from} to ${Math.min(to, low) - 1} left retention`] : []
  })
  if (gone.length > 0) throw new Error(`Part of it cannot be replayed, so nothing is:\n${gone.join('\n')}`)
}
