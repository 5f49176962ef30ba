import type { Kafka } from './client.ts'

/** `partition` 0 and the present as `timestamp` (milliseconds since 1970) unless they are given. */
export type AppendedRecord = {
  topic: string
  partition?: number
  timestamp?: number
  key: string | Buffer | null
  value: string | Buffer | null
  headers?: Record<string, string>
}

/** Told after each send how many records are written, and the offset of its first. */
export type OnAppended = (count: number, firstOffset: string) => void

export type Appender = {
  /**
   * Writes records in order: neighbours of one partition in one send, each send acknowledged by all in-sync replicas before the next. After a
   * throw, whole sends may have been written, and none after them.
   */
  append: (records: AppendedRecord[], onAppended?: OnAppended) => Promise<void>
  close: () => Promise<void>
}

/** A broker refuses more than 1 MiB at once by default, and kafkajs's cost of a send grows with the square of its records. */
const maxSendBytes = 900_000
const maxSendRecords = 1_000

/**
 * For the registry, the audit trail, redrives and replays. A plain producer, because readers of what it writes (the registry's, and the stages)
 * must never wait for a transaction. A send is one batch of one partition, so kafkajs's retries may stay on (`kafkajs.md` §0.2); a retry may
 * write a copy of it, which changes nothing.
 */
export async function openAppender(kafka: Kafka): Promise<Appender> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1 })
  await producer.connect()
  return {
    async append(records, onAppended) {
      let appended = 0
      for (const { topic, messages } of inSends(records)) {
        const [answer] = await producer.send({ topic, acks: -1, messages })
        if (answer?.baseOffset === undefined) throw new Error(`No broker said that it has the records for ${topic}`)
        appended += messages.length
        onAppended?.(appended, answer.baseOffset)
      }
    },
    close: () => producer.disconnect(),
  }
}

/** Writes these records with an appender of their own. */
export async function appendRecords(kafka: Kafka, records: AppendedRecord[], onAppended?: OnAppended): Promise<void> {
  const appender = await openAppender(kafka)
  await appender.append(records, onAppended).finally(appender.close)
}

type Message = Omit<AppendedRecord, 'topic' | 'timestamp'> & { partition: number; timestamp?: string }
type Send = { topic: string; messages: Message[] }

/** Pure: the records in order, as few sends as the limits allow. */
export function inSends(records: AppendedRecord[]): Send[] {
  const sends: Send[] = []
  let bytes = 0
  for (const { topic, partition = 0, timestamp, key, value, headers = {} } of records) {
    const size = 100 + Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '') + Buffer.byteLength(JSON.stringify(headers))
    const last = sends.at(-1)
    const samePlace = last?.topic === topic && last.messages[0]?.partition === partition
    const fits = samePlace && last.messages.length < maxSendRecords && bytes + size <= maxSendBytes
    const message = { key, value, headers, partition, ...(timestamp !== undefined && { timestamp: String(timestamp) }) }
    if (fits) last.messages.push(message)
    else sends.push({ topic, messages: [message] })
    bytes = fits ? bytes + size : size
  }
  return sends
}
