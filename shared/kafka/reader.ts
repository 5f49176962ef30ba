/** Reading topics outside a stage: read_committed, from the beginning or the end, never committing an offset. */
import { randomUUID } from 'node:crypto'
import { type Kafka, sessionTimeoutMs } from './client.ts'
import { type SourceRecord, toSourceRecord } from './record.ts'

export type Reader = {
  /** Resolves when every record that was there at the start has been handed over (at once for `from: 'end'`). Rejects if the reader dies. */
  caughtUp: Promise<void>
  /** Resolves when every record of the partition below this offset has been handed over. Rejects if the reader dies, or when aborted. */
  reached: (topic: string, partition: number, offset: number, signal?: AbortSignal) => Promise<void>
  /** Milliseconds since Kafka last answered a fetch, empty or not: how old what was read may be. It answers several times a second. */
  quietMs: () => number
  stop: () => Promise<void>
}

/** Where the next record of a partition is. Nothing is committed, so this is the only memory of it when the consumer joins again. */
type Place = { topic: string; partition: number; next: number; waiting: Set<Waiting> }
type Waiting = { offset: number; resolve: () => void; reject: (error: Error) => void }

type ReaderOptions = {
  kafka: Kafka
  topics: string[]
  from?: 'beginning' | 'end'
  /** Handed in offset order per partition; awaited before the next. After a throw the same record comes again. */
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
  const places = new Map<string, Place>()
  const ends: [topic: string, partition: number, offset: number][] = []
  let dead: Error | undefined
  let stopped = false
  let answeredAt = performance.now()
  try {
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const next = Number(from === 'end' ? high : low)
        places.set(`${topic}/${partition}`, { topic, partition, next, waiting: new Set() })
        ends.push([topic, partition, Number(high)])
      }
    }
  } catch (error) {
    await admin.disconnect()
    throw error
  }
  const reached: Reader['reached'] = (topic, partition, offset, signal) => {
    const place = places.get(`${topic}/${partition}`)
    if (!place) return Promise.reject(new Error(`${topic}/${partition} is not read`))
    if (place.next >= offset) return Promise.resolve()
    if (dead || signal?.aborted) return Promise.reject(dead ?? signal?.reason)
    return new Promise((resolve, reject) => {
      const waiting = { offset, resolve, reject }
      place.waiting.add(waiting)
      signal?.addEventListener(
        'abort',
        () => {
          place.waiting.delete(waiting)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  }
  const advance = (place: Place, next: number) => {
    place.next = Math.max(place.next, next)
    for (const waiting of place.waiting) {
      if (waiting.offset > place.next) continue
      place.waiting.delete(waiting)
      waiting.resolve()
    }
  }
  const caughtUp = Promise.all(ends.map((end) => reached(...end))).then(() => {})
  caughtUp.catch(() => {})

  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: sessionTimeoutMs / 4,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
    metadataMaxAge: 5_000,
    retry: { retries: 8, maxRetryTime: 1_000, restartOnFailure: async () => !stopped },
  })
  // A batch of control or aborted records never reaches eachBatch, but it moves the position too.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const place = places.get(`${payload.topic}/${payload.partition}`)
    if (place && payload.batchSize === 0) advance(place, Number(payload.lastOffset) + 1)
  })
  consumer.on(consumer.events.FETCH, () => {
    answeredAt = performance.now()
  })
  // kafkajs forgets every position when it joins again, and would begin anew.
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const { topic, partition, next } of places.values()) consumer.seek({ topic, partition, offset: String(next) })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    dead = payload.error
    for (const { waiting } of places.values()) for (const { reject } of waiting) reject(dead)
    onDeath?.(dead)
  })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: from === 'beginning' })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 1,
    eachBatch: async ({ batch, heartbeat, isRunning }) => {
      const place = places.get(`${batch.topic}/${batch.partition}`)
      if (!place) return
      for (const message of batch.messages) {
        if (!isRunning()) return
        if (Number(message.offset) < place.next) continue
        await onRecord(toSourceRecord(batch.topic, batch.partition, message))
        place.next = Number(message.offset) + 1
      }
      advance(place, Number(batch.lastOffset()) + 1)
      await heartbeat()
    },
  })
  return {
    caughtUp,
    reached,
    quietMs: () => performance.now() - answeredAt,
    async stop() {
      stopped = true
      await consumer.disconnect()
      await admin.deleteGroups([groupId]).catch(() => {})
      await admin.disconnect()
    },
  }
}
