import { header } from '../../../shared/contracts/headers.ts'
import type { Registry } from '../../../shared/contracts/registry.ts'
import { readTokenEvent } from '../../../shared/contracts/validate.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { readRegistry } from '../merchants/registry-topic.ts'
import { lostBefore } from './find-ranges.ts'
import { firstRecords, readRanges } from './read-ranges.ts'
import { addPosition, offsetsByPartition, type ReplayScope, whereOf } from './scope.ts'
import type { ReplayRange, ReplaySelection } from './selection.ts'

type Wants = (record: SourceRecord) => boolean

/** The selection of a scope. Raw notifications are sealed, so a merchant's are found by what the normalizer made of them. */
export async function selectionOf(session: KafkaSession, facts: TopicFacts, scope: ReplayScope): Promise<ReplaySelection> {
  const { source, ranges, only, merchant } = scope
  const wants: Wants[] = [bySaid(scope)]
  if (only) wants.push(isAmong(offsetsByPartition(only)))
  if (merchant !== undefined) {
    const ofMerchant = byMerchant((await readRegistry(session)).registry, merchant)
    wants.push(source === 'events' ? ofMerchant : isAmong(await originsOf(session, facts, ranges, ofMerchant)))
  }
  return { source, ranges, wants: (record) => wants.every((wanted) => wanted(record)) }
}

/**
 * Whether an event is one that the scope is about: for raw scopes by its origin. What a raw record says (time, key), its event says as well.
 */
export function wantsEvent(scope: ReplayScope, registry: Registry): Wants {
  const wants = [bySaid(scope)]
  if (scope.merchant !== undefined) wants.push(byMerchant(registry, scope.merchant))
  if (scope.source === 'events') return (record) => wants.every((wanted) => wanted(record))
  const ranges = new Map(scope.ranges.map((range) => [whereOf(range), range]))
  const only = scope.only && new Set(scope.only)
  wants.unshift(({ headers }) => {
    const origin = headers[header.origin] ?? ''
    const end = origin.lastIndexOf('/')
    const range = ranges.get(origin.slice(0, end))
    const offset = Number(origin.slice(end + 1))
    return range !== undefined && offset >= range.from && offset < range.to && (!only || only.has(origin))
  })
  return (record) => wants.every((wanted) => wanted(record))
}

/** By time and key, which a notification has in common with all that becomes of it. The key is the token's ref where there is one. */
function bySaid({ since = 0, until = Number.POSITIVE_INFINITY, token }: ReplayScope): Wants {
  return ({ timestamp, key }) => timestamp >= since && timestamp < until && (token === undefined || key?.toString() === token)
}

function byMerchant(registry: Registry, merchantId: string): Wants {
  const clients = new Set(registry.entries().get(merchantId)?.authClientIds)
  return (record) => {
    const read = readTokenEvent(record.value)
    if ('mistakes' in read) return false
    const { merchantId: named, authClientId } = read.value
    return named === merchantId || (authClientId !== undefined && clients.has(authClientId))
  }
}

const isAmong =
  (offsets: Map<string, Set<number>>): Wants =>
  (record) =>
    offsets.get(whereOf(record))?.has(record.offset) ?? false

/** Origins of the wanted normalized records, as far as the normalizer is. Throws where their log begins after the raw ranges do. */
async function originsOf(session: KafkaSession, facts: TopicFacts, ranges: ReplayRange[], wants: Wants) {
  const origins = new Map<string, Set<number>>()
  const normalized = await rangesBehind(session, facts, session.topics.normalized, ranges)
  await readRanges(session, normalized, (records) => {
    for (const record of records) if (wants(record)) addPosition(origins, record.headers[header.origin] ?? '')
  })
  return origins
}

/**
 * Where the records of a later topic lie that raw ranges became: on the same partitions, from the time of the ranges' first records on. Throws where
 * they have left retention.
 */
export async function rangesBehind(
  session: KafkaSession,
  facts: TopicFacts,
  topic: string,
  raw: ReplayRange[],
): Promise<ReplayRange[]> {
  const begins = new Map<number, number>()
  for (const [{ partition }, { timestamp }] of await firstRecords(session, raw))
    begins.set(partition, Math.min(timestamp, begins.get(partition) ?? timestamp))
  const since = Math.min(...begins.values())
  const bounds = await facts.allBounds(topic)
  const ranges = await Promise.all(
    [...begins].map(async ([partition, timestamp]) => {
      const { low, high } = bounds.get(partition) ?? { low: 0, high: 0 }
      return { topic, partition, from: await facts.startAt(topic, partition, timestamp), to: high, low }
    }),
  )
  const atBegin = ranges.filter(({ from, low }) => from === low)
  const { gone } = await lostBefore(session, facts, atBegin, { since, now: Date.now() })
  if (gone.length > 0) throw new Error(`${gone.join('\n')}\nSo it cannot be found there: choose a later beginning`)
  return ranges.filter(({ from, to }) => from < to)
}
