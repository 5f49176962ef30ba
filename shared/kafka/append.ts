import type { Kafka } from './client.ts'

export type AppendedRecord = { topic: string; key: string; value: string | null; headers?: Record<string, string> }

/** A broker refuses more than 1 MiB at once by default, and kafkajs's cost of a send grows with the square of its records. */
const maxSendBytes = 900_000
const maxSendRecords = 1_000

/**
 * Writes records in order to the first partition of their topics, for the registry and the audit trail, which have no other: neighbours of one topic
 * in one send, each send acknowledged by all in-sync replicas before the next. A plain producer, because the registry's readers must never wait for a
 * transaction. A send is one batch of one partition, so kafkajs's retries may stay on (`kafkajs.md` §0.2); a retry may write a copy of it,
 * which changes nothing. After a throw, whole sends may have been written, and none after them.
 */
export async function appendRecords(kafka: Kafka, records: AppendedRecord[], onAppended = (_count: number) => {}): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    let appended = 0
    for (const { topic, messages } of inSends(records)) {
      await producer.send({ topic, acks: -1, messages })
      appended += messages.length
      onAppended(appended)
    }
  } finally {
    await producer.disconnect()
  }
}

type Send = { topic: string; messages: (Omit<AppendedRecord, 'topic'> & { partition: 0 })[] }

/** Pure: the records in order, as few sends as the limits allow. */
export function inSends(records: AppendedRecord[]): Send[] {
  const sends: Send[] = []
  let bytes = 0
  for (const { topic, key, value, headers = {} } of records) {
    const size = 100 + Buffer.byteLength(key) + Buffer.byteLength(value ?? '') + Buffer.byteLength(JSON.stringify(headers))
    const last = sends.at(-1)
    const fits = last?.topic === topic && last.messages.length < maxSendRecords && bytes + size <= maxSendBytes
    const message = { key, value, headers, partition: 0 as const }
    if (fits) last.messages.push(message)
    else sends.push({ topic, messages: [message] })
    bytes = fits ? bytes + size : size
  }
  return sends
}
