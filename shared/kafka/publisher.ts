/**
 * Publishing for the gateway. kafkajs never batches, so this does: one *lane* per leader broker, one request in flight per lane, what
 * arrives meanwhile forms the next batch (group commit). kafkajs's own retries are off, because over several brokers they lose or double data
 * (`kafkajs.md` A.3); each partition's answer is checked, and what was not answered is sent again by the lane until its deadline.
 * Not idempotent on purpose: a retry may store a copy twice, and the deduplicator drops it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../runtime/log.ts'
import { createPartitionOf, explicitPartitioner, type Kafka, kafkaErrorType } from './client.ts'

export type RawRecord = { topic: string; key: string; value: Buffer; headers: Record<string, string> }
export type Published = { partition: number; offset: string }

/** `refused`: the broker will never take this record. All else: it may or may not have been stored. */
export type PublishReason = 'queue-full' | 'deadline' | 'stopping' | 'aborted' | 'refused'
export class PublishError extends Error {
  readonly reason: PublishReason
  constructor(reason: PublishReason) {
    super(`Not published: ${reason}`)
    this.reason = reason
  }
}

export type Publisher = {
  /** Resolves once all in-sync replicas have the record. Rejects with PublishError, at the latest at `until` (ms since 1970). */
  publish: (record: RawRecord, until: number, signal?: AbortSignal) => Promise<Published>
  ready: () => boolean
  /** Bytes waiting or under way. */
  queuedBytes: () => number
  /** Takes no more, finishes what is queued (each within its deadline), disconnects. */
  stop: () => Promise<void>
}

type Entry = RawRecord & {
  partition: number
  bytes: number
  until: number
  settled: boolean
  resolve: (p: Published) => void
  reject: (e: Error) => void
}
type Lane = { queue: Entry[]; limit: number; busy: boolean; failures: number }

/** kafkajs copies an array per record, so a request beyond some thousand records costs more than it saves. */
const maxBatchRecords = 1_000
/** Brokers refuse a partition's batch above 1 MiB by default (`message.max.bytes`). */
const maxPartitionBytes = 900_000
const recordOverhead = 100
const sweepMs = 50
const maxPauseMs = 250
const neverTaken = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE'])

export function createPublisher(options: { kafka: Kafka; topics: string[]; log: Log; maxQueuedBytes?: number }): Publisher {
  const { kafka, topics, log, maxQueuedBytes = 64 * 1024 * 1024 } = options
  const producer = kafka.producer({
    retry: { retries: 0 },
    createPartitioner: explicitPartitioner,
    allowAutoTopicCreation: false,
  })
  const admin = kafka.admin()
  const partitionOf = createPartitionOf()
  const lanes = new Map<number, Lane>()
  /** Topic → leader of each partition; what is published before it is known waits. */
  let leaders = new Map<string, number[]>()
  let waiting: Entry[] = []
  let queuedBytes = 0
  let stopping = false
  let refreshing: Promise<void> | undefined

  const live = new Set<Entry>()
  const sweeper = setInterval(() => {
    const now = Date.now()
    for (const entry of live) if (entry.until <= now) settle(entry, new PublishError('deadline'))
  }, sweepMs)

  function settle(entry: Entry, result: Published | PublishError): void {
    if (entry.settled) return
    entry.settled = true
    live.delete(entry)
    queuedBytes -= entry.bytes
    if (result instanceof PublishError) entry.reject(result)
    else entry.resolve(result)
  }

  function route(entry: Entry): void {
    const partitions = leaders.get(entry.topic)
    if (!partitions) {
      waiting.push(entry)
      void refreshLeaders()
      return
    }
    if (entry.partition < 0) entry.partition = partitionOf(entry.key, partitions.length)
    const leader = partitions[entry.partition] ?? -1
    const lane = lanes.get(leader) ?? { queue: [], limit: maxBatchRecords, busy: false, failures: 0 }
    lanes.set(leader, lane)
    lane.queue.push(entry)
    if (lane.busy) return
    lane.busy = true
    // What else arrived in this turn of the event loop goes along; a lone record loses nothing.
    setImmediate(() => void drain(lane))
  }

  async function drain(lane: Lane): Promise<void> {
    for (let batch = take(lane); batch.length > 0; batch = take(lane)) {
      const unanswered = await send(lane, batch)
      if (unanswered.length === 0) {
        lane.failures = 0
        continue
      }
      lane.queue.unshift(...unanswered)
      await sleep(Math.min(10 * 2 ** lane.failures++, maxPauseMs))
      await refreshLeaders()
      const again = lane.queue
      lane.queue = []
      // Leaders may have moved: each record goes to its present leader's lane, in order. This lane is busy, so its own wait for the next turn.
      again.forEach(route)
    }
    lane.busy = false
  }

  function take(lane: Lane): Entry[] {
    const batch: Entry[] = []
    const bytes = new Map<string, number>()
    let rest = 0
    for (; rest < lane.queue.length && batch.length < lane.limit; rest++) {
      const entry = lane.queue[rest] as Entry
      if (entry.settled) continue
      const partition = `${entry.topic}/${entry.partition}`
      const sum = (bytes.get(partition) ?? 0) + entry.bytes
      if (sum > maxPartitionBytes && bytes.has(partition)) break
      bytes.set(partition, sum)
      batch.push(entry)
    }
    lane.queue.splice(0, rest)
    return batch
  }

  /** Sends once and settles what was answered; returns the rest, in order. */
  async function send(lane: Lane, batch: Entry[]): Promise<Entry[]> {
    const byTopic = Map.groupBy(batch, (entry) => entry.topic)
    const topicMessages = [...byTopic].map(([topic, entries]) => ({ topic, messages: entries }))
    try {
      const answers = await producer.sendBatch({ acks: -1, topicMessages })
      lane.limit = maxBatchRecords
      const byPartition = Map.groupBy(batch, (entry) => `${entry.topic}/${entry.partition}`)
      for (const answer of answers) {
        if (answer.errorCode !== 0 || answer.baseOffset === undefined) continue
        byPartition.get(`${answer.topicName}/${answer.partition}`)?.forEach((entry, index) => {
          settle(entry, { partition: entry.partition, offset: String(BigInt(answer.baseOffset as string) + BigInt(index)) })
        })
      }
    } catch (error) {
      const type = kafkaErrorType(error)
      log.warn('publish-failed', { error, code: type, records: batch.length })
      if (type && neverTaken.has(type)) {
        // One record the broker never takes must not fail its neighbours: halve until it is alone.
        if (batch.length === 1) settle(batch[0] as Entry, new PublishError('refused'))
        lane.limit = Math.max(1, Math.floor(batch.length / 2))
      }
    }
    return batch.filter((entry) => !entry.settled)
  }

  /** One refresh at a time; it goes on until leaders are known or nobody waits. */
  function refreshLeaders(): Promise<void> {
    refreshing ??= lookUpLeaders().finally(() => {
      refreshing = undefined
    })
    return refreshing
  }

  async function lookUpLeaders(): Promise<void> {
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      try {
        await admin.connect()
        await producer.connect()
        const metadata = await admin.fetchTopicMetadata({ topics })
        leaders = new Map(
          metadata.topics.map(({ name, partitions }) => {
            const sorted = partitions.toSorted((a, b) => a.partitionId - b.partitionId)
            return [name, sorted.map((partition) => partition.leader)]
          }),
        )
        const waited = waiting
        waiting = []
        waited.forEach(route)
        return
      } catch (error) {
        log.warn('leaders-unknown', { error, code: kafkaErrorType(error) })
      }
      waiting = waiting.filter((entry) => !entry.settled)
      if (stopping && live.size === 0) return
      await sleep(pauseMs)
    }
  }

  void refreshLeaders()

  return {
    publish(record, until, signal) {
      if (stopping) return Promise.reject(new PublishError('stopping'))
      const headerBytes = Object.entries(record.headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
      const bytes = record.value.length + record.key.length + headerBytes + recordOverhead
      if (queuedBytes + bytes > maxQueuedBytes) return Promise.reject(new PublishError('queue-full'))
      queuedBytes += bytes
      return new Promise((resolve, reject) => {
        const entry: Entry = { ...record, partition: -1, bytes, until, settled: false, resolve, reject }
        live.add(entry)
        signal?.addEventListener('abort', () => settle(entry, new PublishError('aborted')), { once: true })
        route(entry)
      })
    },
    ready: () => leaders.size > 0 && !stopping,
    queuedBytes: () => queuedBytes,
    async stop() {
      stopping = true
      while (live.size > 0) await sleep(sweepMs)
      clearInterval(sweeper)
      await refreshing
      await producer.disconnect()
      await admin.disconnect()
    },
  }
}
