import { header } from '../../../shared/contracts/headers.ts'
import { createRegistry } from '../../../shared/contracts/registry.ts'
import { formatPosition, groupId } from '../../../shared/contracts/topics.ts'
import type { TokenEvent } from '../../../shared/contracts/types.ts'
import { checkTokenEvent } from '../../../shared/contracts/validate.ts'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import { openTopicFacts, type TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { type Candidate, explain } from './match.ts'
import { readRegistry } from './registry-topic.ts'

/** An event without a sync. `candidates` is undefined if it is no event by the schema, and so a dead letter. */
export type UnmatchedEvent = {
  position: string
  receivedAt: string
  event?: Pick<TokenEvent, 'eventId' | 'type' | 'provider' | 'merchantId' | 'authClientId'>
  /** The registry's version when the notification was received: merchant-sync decided by this one, or by one soon after. */
  registryOffset: number
  candidates?: Candidate[]
  /** Subscriptions of the registry as it is now that would get it. */
  wantedNow: { merchantId: string; subscriptionId: string }[]
}
export type Unmatched = {
  /** Milliseconds since 1970: what the answer is about. Later than asked if syncs of older events may have left retention. */
  from: number
  events: number
  unmatched: number
  /** Records of the events topic that merchant-sync has not come to. */
  undecided: number
  /** The first by time of receipt, at most as many as asked for. */
  listed: UnmatchedEvent[]
}
export type UnmatchedQuery = { from: number; to: number; limit: number; now: number; onRead: (events: number) => void }

/**
 * Events received in [from, to) that have no merchant sync. Nothing is written for an event that nobody wants, so this reads what was decided: the
 * syncs since `from`, then the events as far as the group has committed; a sync has its event's origin and timestamp.
 */
export async function findUnmatched(session: KafkaSession, query: UnmatchedQuery): Promise<Unmatched> {
  const { kafka, topics, topicPrefix } = session
  const facts = await openTopicFacts(kafka)
  try {
    const from = Math.max(query.from, query.now - (await facts.retentionMs(topics.syncs)))
    const groupPrefix = `${topicPrefix}operator.`
    // Decided first, syncs second: what is decided has its syncs.
    const decided = await decidedRanges(facts, session, from)
    const synced = new Set<string>()
    const readSyncs = createRangeReader({ kafka, topic: topics.syncs, groupPrefix })
    const syncRanges = await inPartitions(facts, topics.syncs, async (partition) => ({
      from: await facts.offsetAt(topics.syncs, partition, from),
      to: (await facts.bounds(topics.syncs, partition)).high,
    }))
    const keepOrigins = async (records: SourceRecord[]) => {
      for (const { headers } of records) synced.add(headers[header.origin] ?? '')
    }
    await Promise.all(syncRanges.map((range) => readSyncs({ ...range, onRecords: keepOrigins })))

    const counts = { events: 0, unmatched: 0 }
    let first: SourceRecord[] = []
    const keepUnmatched = async (records: SourceRecord[]) => {
      const asked = records.filter(({ timestamp }) => timestamp >= from && timestamp < query.to)
      const without = asked.filter(({ headers }) => !synced.has(headers[header.origin] ?? ''))
      counts.events += asked.length
      counts.unmatched += without.length
      first = [...first, ...without].sort((a, b) => a.timestamp - b.timestamp).slice(0, query.limit)
      query.onRead(counts.events)
    }
    const readEvents = createRangeReader({ kafka, topic: topics.events, groupPrefix })
    await Promise.all(decided.map((range) => readEvents({ ...range, onRecords: keepUnmatched })))
    const undecided = decided.reduce((sum, { waiting }) => sum + waiting, 0)
    return { from, ...counts, undecided, listed: await explainAll(session, first) }
  } finally {
    await facts.close()
  }
}

async function decidedRanges(facts: TopicFacts, { topics, topicPrefix }: KafkaSession, from: number) {
  const group = groupId('merchant-sync', topicPrefix)
  return inPartitions(facts, topics.events, async (partition) => {
    const committed = Math.max(0, await facts.committedOffset(group, topics.events, partition))
    const { high } = await facts.bounds(topics.events, partition)
    return { from: await facts.offsetAt(topics.events, partition, from), to: committed, waiting: high - committed }
  })
}

async function inPartitions<T>(facts: TopicFacts, topic: string, work: (partition: number) => Promise<T>) {
  const partitions = Array.from({ length: await facts.partitionCount(topic) }, (_, partition) => partition)
  return Promise.all(partitions.map(async (partition) => ({ partition, ...(await work(partition)) })))
}

/** The registry is wound forward to each event's time. */
async function explainAll(session: KafkaSession, records: SourceRecord[]): Promise<UnmatchedEvent[]> {
  const history: SourceRecord[] = []
  const { registry: current } = await readRegistry(session, { onRecord: (record) => void history.push(record) })
  const then = createRegistry()
  let next = 0
  return records.map((record) => {
    for (; next < history.length && (history[next] as SourceRecord).timestamp <= record.timestamp; next++)
      then.apply(history[next] as SourceRecord)
    const position = formatPosition({ ...record, offset: String(record.offset) })
    const receivedAt = new Date(record.timestamp).toISOString()
    const event = parseEvent(record)
    const place = { position, receivedAt, registryOffset: then.offset() }
    if (!event) return { ...place, wantedNow: [] }
    const { eventId, type, provider, merchantId, authClientId } = event
    const named = { eventId, type, provider, ...(merchantId ? { merchantId } : {}), ...(authClientId ? { authClientId } : {}) }
    const wantedNow = current
      .match(event)
      .map((match) => ({ merchantId: match.merchantId, subscriptionId: match.subscription.id }))
    return { ...place, event: named, candidates: explain(then, event), wantedNow }
  })
}

function parseEvent({ value }: SourceRecord): TokenEvent | undefined {
  try {
    const checked = checkTokenEvent(JSON.parse(String(value)))
    return 'value' in checked ? checked.value : undefined
  } catch {
    return undefined
  }
}
