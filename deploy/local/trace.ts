import { header } from '../../shared/contracts/headers.ts'
import { formatPosition, type Topics } from '../../shared/contracts/topics.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import type { Trace } from './accounting.ts'

/** The topics in which a notification leaves its traces, in the order in which it meets them. */
export const tracedTopics = (topics: Topics): string[] => [
  ...Object.values(topics.raw),
  topics.normalized,
  topics.events,
  topics.duplicates,
  topics.syncs,
  ...Object.values(topics.deadLetters),
]

/** What a record says about the way of its notification; undefined for the normalized topic, which ends nothing. Headers are enough. */
export function traceOf(record: SourceRecord, topics: Topics): Trace | undefined {
  const { topic, partition, offset, headers, timestamp } = record
  const origin = headers[header.origin] ?? '(no origin)'
  switch (topic) {
    case topics.raw.alipayplus:
    case topics.raw.bluepay:
      return { kind: 'raw', position: formatPosition({ topic, partition, offset: String(offset) }) }
    case topics.events:
      return { kind: 'event', origin, eventId: headers[header.id] ?? '(no id)', at: timestamp }
    case topics.duplicates:
      return { kind: 'duplicate', origin, conflict: record.value?.includes('"conflict":true') ?? false }
    case topics.deadLetters.normalizer:
    case topics.deadLetters.deduplicator:
      return { kind: 'dead-letter', origin }
    case topics.deadLetters['merchant-sync']:
      return { kind: 'lost-sync', origin }
    case topics.syncs:
      return { kind: 'sync', syncId: headers[header.id] ?? '(no id)', merchantId: merchantOf(headers[header.source] ?? '') }
    default:
      return undefined
  }
}

const merchantOf = (source: string) => decodeURIComponent(source.replace('/merchants/', ''))
