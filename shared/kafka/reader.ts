/** Reading topics outside a stage: read_committed, from the beginning or the end, never committing an offset. */
import { randomUUID } from 'node:crypto'
import { type Kafka, sessionTimeoutMs } from './client.ts'
import { type SourceRecord, toSourceRecord } from './record.ts'

export type Reader = {
  /** Resolves when every record that was there at the start has been handed over (at once for `from: 'end'`). Rejects if the reader dies. */
  caughtUp: Promise<void>
  /** Milliseconds since Kafka last answered a fetch, empty or not: how old what was read may be. It answers several times a second. */
  quietMs: () => number
  stop: () => Promise<void>
}

type ReaderOptions = {
  kafka: Kafka
  topics: string[]
  from?: 'beginning' | 'end'
  /** Handed in offset order per partition; awaited before the next. A throw ends the reader. */
  onRecord: (record: SourceRecord) => void | Promise<void>
  /** Called when the reader dies after having caught up. */
  onDeath?: (error: Error) => void
  groupPrefix?: string
}

export async function readTopics({
  kafka,
  topics,
  from = 'beginning',
  onRecord,
  onDeath,
  groupPrefix = '',
}: ReaderOptions): Promise<Reader> {
  const admin = kafka.admin()
  await admin.connect()
  const groupId = `${groupPrefix}reader.${randomUUID()}`
  const missing = new Map<string, number>()
  /** Where the next record of each partition is. Nothing is committed, so this is the only memory of it when the consumer joins again. */
  const places = new Map<string, { topic: string; partition: number; next: number }>()
  let stopped = false
  let answeredAt = performance.now()
  try {
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const where = `${topic}/${partition}`
        places.set(where, { topic, partition, next: Number(from === 'end' ? high : low) })
        if (from === 'beginning' && BigInt(high) > BigInt(low)) missing.set(where, Number(high))
      }
    }
  } catch (error) {
    await admin.disconnect()
    throw error
  }
  let resolve = () => {}
  let reject: (error: Error) => void = () => {}
  const caughtUp = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  caughtUp.catch(() => {})
  if (missing.size === 0) resolve()

  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: sessionTimeoutMs / 4,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
    metadataMaxAge: 5_000,
    retry: { retries: 8, maxRetryTime: 1_000, restartOnFailure: async () => !stopped },
  })
  const reached = (topic: string, partition: number, next: number) => {
    const end = missing.get(`${topic}/${partition}`)
    if (end === undefined || next < end) return
    missing.delete(`${topic}/${partition}`)
    if (missing.size === 0) resolve()
  }
  // Batches of control or aborted records never reach eachBatch, but they move the position too.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
    reached(payload.topic, payload.partition, Number(payload.lastOffset) + 1),
  )
  consumer.on(consumer.events.FETCH, () => {
    answeredAt = performance.now()
  })
  // kafkajs forgets every position when it joins again, and would begin anew.
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const { topic, partition, next } of places.values()) consumer.seek({ topic, partition, offset: String(next) })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    reject(payload.error)
    onDeath?.(payload.error)
  })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: from === 'beginning' })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 1,
    eachBatch: async ({ batch, heartbeat, isRunning }) => {
      for (const message of batch.messages) {
        if (!isRunning()) return
        const place = places.get(`${batch.topic}/${batch.partition}`)
        if (!place || Number(message.offset) < place.next) continue
        place.next = Number(message.offset) + 1
        await onRecord(toSourceRecord(batch.topic, batch.partition, message))
      }
      await heartbeat()
    },
  })
  return {
    caughtUp,
    quietMs: () => performance.now() - answeredAt,
    async stop() {
      stopped = true
      await consumer.disconnect()
      await admin.deleteGroups([groupId]).catch(() => {})
      await admin.disconnect()
    },
  }
}
