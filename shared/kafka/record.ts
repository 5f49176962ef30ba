import { header } from '../contracts/headers.ts'
import { formatPosition } from '../contracts/topics.ts'
import type { KafkaMessage } from './client.ts'

/** A record as a step sees it. Offsets are numbers (2^53 records of one partition are out of reach); headers are text. */
export type SourceRecord = {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since 1970, as the log has it. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, string>
}

/** kafkajs's message as a step sees it. Headers are text; one given twice counts with its first value, one without a value not at all. */
export function toSourceRecord(topic: string, partition: number, message: KafkaMessage): SourceRecord {
  const headers: Record<string, string> = {}
  for (const name in message.headers) {
    const value = message.headers[name]
    const first = Array.isArray(value) ? value[0] : value
    if (first != null) headers[name] = typeof first === 'string' ? first : first.toString('utf8')
  }
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers,
  }
}

export const positionOf = ({ topic, partition, offset }: SourceRecord): string =>
  formatPosition({ topic, partition, offset: String(offset) })

/**
 * The record that the accounts count this one by. Without an origin header it is the record itself: a raw notification, or what a
 * redrive appended further down (`operator dlq redrive`).
 */
export const originOf = (record: SourceRecord): string => record.headers[header.origin] ?? positionOf(record)
