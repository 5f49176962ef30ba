import type { Kafka } from './client.ts'

export type AppendedRecord = { topic: string; key: string; value: string | null; headers?: Record<string, string> }

/**
 * Writes a handful of records, in order, each acknowledged by all in-sync replicas before the next is sent: for the registry and
 * the audit trail, which have one partition each. A plain producer, because the registry's readers must never wait for a transaction.
 * One record a send, so kafkajs's retries may stay on (`kafkajs.md` §0.2); a retry may write a copy, which changes nothing.
 */
export async function appendRecords(kafka: Kafka, records: AppendedRecord[]): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    for (const { topic, key, value, headers = {} } of records) {
      await producer.send({ topic, acks: -1, messages: [{ key, value, headers, partition: 0 }] })
    }
  } finally {
    await producer.disconnect()
  }
}
