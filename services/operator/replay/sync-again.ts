/**
 * Merchant syncs once more: those of the events of a range, for the merchants that an operator names. The same sync ids and keys, in the order of the
 * events, with `replay-id`, decided by the registry as it is now, whose version each sync names.
 */
import { header } from '../../../shared/contracts/headers.ts'
import { merchantSyncRecord } from '../../../shared/contracts/merchant-syncs.ts'
import type { Registry } from '../../../shared/contracts/registry.ts'
import { groupId } from '../../../shared/contracts/topics.ts'
import { readTokenEvent } from '../../../shared/contracts/validate.ts'
import type { AppendedRecord } from '../../../shared/kafka/append.ts'
import { choosePartition } from '../../../shared/kafka/choose-partition.ts'
import { originOf, type SourceRecord } from '../../../shared/kafka/record.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { readRegistry } from '../merchants/registry-topic.ts'
import { readRanges } from './read-ranges.ts'
import type { ReplayScope } from './scope.ts'
import type { ReplayRange } from './selection.ts'
import { rangesBehind, wantsEvent } from './wanted.ts'

/** Merchant ids, and where the events lie. */
export type SyncJob = { merchants: string[]; ranges: ReplayRange[] }

/** The syncs of one record of the public topic, in the registry's order. */
export type SyncsOf = (record: SourceRecord, replayId: string) => AppendedRecord[]

/**
 * Only events that merchant-sync has decided: the others' first syncs are still to come. Throws for a merchant that is not in the registry.
 */
export async function findSyncJob(
  session: KafkaSession,
  facts: TopicFacts,
  scope: ReplayScope,
  merchants: string[],
): Promise<SyncJob> {
  const { registry } = await readRegistry(session)
  const unknown = merchants.filter((id) => !registry.entries().has(id))
  if (unknown.length > 0) throw new Error(`--sync: not in the registry: ${unknown.join(', ')}`)
  const { events } = session.topics
  const committed = await facts.allCommitted(groupId('merchant-sync', session.topicPrefix), events)
  const ranges = scope.source === 'events' ? scope.ranges : await rangesBehind(session, facts, events, scope.ranges)
  const decided = ranges.map((range) => ({ ...range, to: Math.min(range.to, committed.get(range.partition) ?? 0) }))
  return { merchants, ranges: decided.filter(({ from, to }) => from < to) }
}

export async function createSyncsOf(
  session: KafkaSession,
  facts: TopicFacts,
  scope: ReplayScope,
  { merchants }: SyncJob,
): Promise<SyncsOf> {
  const { syncs } = session.topics
  const { registry } = await readRegistry(session)
  const partitions = await facts.partitionCount(syncs)
  const matches = createMatch(scope, registry, merchants)
  return (record, replayId) =>
    matches(record).map((sync) => ({
      topic: syncs,
      partition: choosePartition(sync.key, partitions),
      timestamp: record.timestamp,
      key: sync.key,
      value: sync.value,
      headers: { ...sync.headers, [header.replayId]: replayId },
    }))
}

/** Pure, given the registry. */
export function createMatch(scope: ReplayScope, registry: Registry, merchants: string[]) {
  const wanted = wantsEvent(scope, registry)
  const named = new Set(merchants)
  return (record: SourceRecord) => {
    if (!wanted(record)) return []
    const read = readTokenEvent(record.value)
    // merchant-sync has made a dead letter of it.
    if ('mistakes' in read) return []
    const event = read.value
    const synced = { event, key: record.key?.toString() ?? '', origin: originOf(record), registryOffset: registry.offset() }
    const matches = registry.match(event).filter(({ merchantId }) => named.has(merchantId))
    return matches.map((match) => merchantSyncRecord(match, synced))
  }
}

/** How many syncs it would be. Throws for events that are older than the topic of the syncs keeps. */
export async function countSyncs(
  session: KafkaSession,
  facts: TopicFacts,
  { ranges }: SyncJob,
  syncsOf: SyncsOf,
  now: number,
): Promise<number> {
  const { syncs } = session.topics
  const kept = await facts.retentionMs(syncs)
  let count = 0
  let tooOld = 0
  await readRanges(session, ranges, (records) => {
    for (const record of records) {
      const many = syncsOf(record, '').length
      count += many
      if (many > 0 && now - record.timestamp > kept) tooOld++
    }
  })
  if (tooOld > 0)
    throw new Error(
      `${tooOld} of the events were accepted more than ${Math.round(kept / 86_400_000)} days ago, longer than ${syncs} keeps: their syncs could be gone before they are delivered. Choose --since`,
    )
  return count
}
