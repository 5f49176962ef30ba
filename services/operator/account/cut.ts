/**
 * Which records an accounting looks at, such that a pipeline at full load never shows a raw record as missing or an origin as strange that is
 * not. The order of the questions is the whole trick:
 *
 * 1. *Committed offsets.* A stage commits source offsets and outputs in one transaction. So what is committed here has its output in the log
 *    by now, and everything else is in flight, whatever is found of it later.
 * 2. *Ends of the outcome topics*, of the log and not of what is committed: the offsets' commit marker may be written before the marker in
 *    an output topic. Reading up to that end, read_committed, waits until such a transaction is settled.
 * 3. *End of the normalized topic*, 4. *ends of the raw topics*: whatever lies before an end asked for earlier has its origin before one asked
 *    for later, so an origin at or beyond the end of the raw topic is one that nobody wrote.
 *
 * After the raw topics every record carries its raw record's timestamp, and is appended later than it. So all outcomes of raw records from a
 * time on lie at or behind the first record with that timestamp in their topic (a control record before it only makes the range longer).
 * There is no such end: a lagging stage writes behind records that are newer, and a double may come at any time; so they are read to the end.
 */
import { groupId, type Topics } from '../../../shared/contracts/topics.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'

type AccountedStage = 'normalizer' | 'deduplicator' | 'merchant-sync'

/** The part of a raw partition that is accounted for: offsets `from` to before `to`, of a log that has `low` to before `end`. */
export type RawRange = { topic: string; partition: number; low: number; from: number; to: number; end: number }
/** What is read of one partition. */
export type Span = { partition: number; from: number; to: number }
export type Cut = {
  raw: RawRange[]
  /** By topic, all topics after the raw ones; of the normalized topic only what the deduplicator has before it. */
  spans: Map<string, Span[]>
  /** By stage and `topic/partition`: what lies at or beyond this offset is in flight. */
  committed: Record<AccountedStage, Map<string, number>>
  /** `topic/partition`s without a committed offset: everything there that has no outcome counts as in flight. */
  uncommitted: string[]
}

/** Milliseconds since 1970; undefined: everything retained, and up to now. */
export type TimeRange = { from: number | undefined; to: number | undefined }

/** By how much brokers' clocks may differ, and how long an accounting may take while retention moves on. */
const slackMs = 60 * 60 * 1000

export const outcomeTopics = (topics: Topics): string[] => [
  topics.events,
  topics.duplicates,
  topics.deadLetters.normalizer,
  topics.deadLetters.deduplicator,
]

/** All topics that an accounting reads. */
export const accountedTopics = (topics: Topics): string[] => [
  ...Object.values(topics.raw),
  topics.normalized,
  ...outcomeTopics(topics),
  topics.syncs,
  topics.deadLetters['merchant-sync'],
]

export async function takeCut(
  facts: TopicFacts,
  { topics, prefix, now }: { topics: Topics; prefix: string; now: number },
  { from, to }: TimeRange,
): Promise<Cut> {
  const rawTopics = Object.values(topics.raw)
  const endings = outcomeTopics(topics)
  const afterwards = [...endings, topics.syncs, topics.deadLetters['merchant-sync']]

  const committedBy = async (stage: AccountedStage, sources: string[]) => {
    const offsets = await Promise.all(sources.map((topic) => facts.allCommitted(groupId(stage, prefix), topic)))
    return new Map(sources.flatMap((topic, i) => [...(offsets[i] ?? [])].map(([p, offset]) => [`${topic}/${p}`, offset])))
  }
  const committed = {
    normalizer: await committedBy('normalizer', rawTopics),
    deduplicator: await committedBy('deduplicator', [topics.normalized]),
    'merchant-sync': await committedBy('merchant-sync', [topics.events]),
  }
  // Whatever is older may have left an outcome topic before the raw topic: nothing can be said about it.
  const since = Math.max(from ?? 0, (await oldestKept(facts, endings, now)) + slackMs)
  const spans = new Map<string, Span[]>()
  for (const topic of afterwards) spans.set(topic, await spansFrom(facts, topic, since - slackMs))
  spans.set(topics.normalized, await inFlightSpans(facts, topics.normalized, committed.deduplicator))
  const raw: RawRange[] = []
  for (const topic of rawTopics) {
    const starts = since > 0 ? await facts.allOffsetsAt(topic, since) : undefined
    const ends = to !== undefined && to < now ? await facts.allOffsetsAt(topic, to) : undefined
    for (const [partition, { low, high }] of await facts.allBounds(topic)) {
      const begin = Math.max(low, starts?.get(partition) ?? low)
      raw.push({ topic, partition, low, from: begin, to: Math.max(begin, ends?.get(partition) ?? high), end: high })
    }
  }
  const uncommitted = Object.values(committed).flatMap((offsets) =>
    [...offsets].filter(([, offset]) => offset < 0).map(([where]) => where),
  )
  return { raw, spans, committed, uncommitted }
}

/** The oldest timestamp that all of these topics still have; -Infinity when they keep everything. */
async function oldestKept(facts: TopicFacts, topics: string[], now: number): Promise<number> {
  return now - Math.min(...(await Promise.all(topics.map(facts.retentionMs))))
}

async function spansFrom(facts: TopicFacts, topic: string, since: number): Promise<Span[]> {
  const bounds = await facts.allBounds(topic)
  const starts = since > 0 ? await facts.allOffsetsAt(topic, since) : undefined
  return [...bounds].map(([partition, { low, high }]) => ({
    partition,
    from: Math.max(low, starts?.get(partition) ?? low),
    to: high,
  }))
}

async function inFlightSpans(facts: TopicFacts, topic: string, committed: Map<string, number>): Promise<Span[]> {
  return [...(await facts.allBounds(topic))].map(([partition, { low, high }]) => ({
    partition,
    from: Math.max(low, committed.get(`${topic}/${partition}`) ?? low),
    to: high,
  }))
}
