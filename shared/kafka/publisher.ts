/**
 * Publishing for the gateway. kafkajs never batches, so this does: one *lane* per leader broker, one request in flight per lane, what
 * arrives meanwhile forms the next batch (group commit). kafkajs's own retries are off, because over several brokers they lose or double data
 * (`kafkajs.md` A.3); each partition's answer is checked, and what was not answered is sent again by the lane until its deadline.
 * Not idempotent on purpose: a retry may store a copy twice, and the deduplicator drops it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { failpoint } from '../runtime/failpoint.ts'
import type { Log } from '../runtime/log.ts'
import { choosePartition } from './choose-partition.ts'
import { explicitPartitioner, type Kafka, kafkaErrorType } from './client.ts'
import { createLane, type Entry, halve, type Lane, partitionOf, succeeded, takeRequest } from './lane.ts'
import { createLeaders } from './leaders.ts'

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
  publish: (record: RawRecord, until: number) => Promise<Published>
  ready: () => boolean
  /** Bytes waiting or under way. */
  queuedBytes: () => number
  /** Rejects all that waits, at once. What is under way may be stored all the same. */
  giveUp: () => void
  /** Takes no more, finishes what is queued (each within its deadline), disconnects. */
  stop: () => Promise<void>
}

const recordOverheadBytes = 100
const sweepMs = 50
const maxPauseMs = 250
const neverTaken = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE'])

export function createPublisher(options: { kafka: Kafka; topics: string[]; log: Log; maxQueuedBytes?: number }): Publisher {
  const { kafka, topics, log, maxQueuedBytes = 64 * 1024 * 1024 } = options
  const producer = kafka.producer({
    retry: { retries: 0 },
    // After a broker hangs, kafkajs would go on sending to it what has long moved, and fail the healthy lanes with it.
    metadataMaxAge: 1_000,
    createPartitioner: explicitPartitioner,
    allowAutoTopicCreation: false,
  })
  const admin = kafka.admin()
  const lanes = new Map<number, Lane>()
  const live = new Set<Entry>()
  /** Published before the cluster has said who leads. */
  let unrouted: Entry[] = []
  let queuedBytes = 0
  let stopping = false
  /** Something in the queues was settled without having been sent. */
  let refused = false

  const leaders = createLeaders({
    admin,
    topics,
    log,
    async connect() {
      await admin.connect()
      await producer.connect()
    },
  })
  const sweeper = setInterval(() => {
    const now = Date.now()
    for (const entry of live) if (entry.until <= now) entry.settle(new PublishError('deadline'))
    if (refused) forgetSettled()
  }, sweepMs)

  /** With Kafka away nothing else empties the queues: what has been refused must not stay in memory. */
  function forgetSettled(): void {
    refused = false
    unrouted = unrouted.filter((entry) => !entry.settled)
    for (const lane of lanes.values()) lane.queue = lane.queue.filter((entry) => !entry.settled)
  }

  function route(entry: Entry): void {
    const partitions = leaders.of(entry.topic)
    if (!partitions) {
      // Whoever comes first asks for all who come meanwhile.
      if (unrouted.push(entry) === 1) void leaders.refresh().then(routeWaiting)
      return
    }
    if (entry.partition < 0) entry.partition = choosePartition(entry.key, partitions.length)
    const leader = partitions[entry.partition] ?? -1
    const lane = lanes.get(leader) ?? createLane()
    lanes.set(leader, lane)
    lane.queue.push(entry)
    if (lane.busy) return
    lane.busy = true
    // What else arrives in this turn of the event loop goes along; a lone record loses nothing.
    setImmediate(() => void drain(lane))
  }

  function routeWaiting(): void {
    const waited = unrouted.filter((entry) => !entry.settled)
    unrouted = []
    waited.forEach(route)
  }

  async function drain(lane: Lane): Promise<void> {
    for (let batch = takeRequest(lane); batch.length > 0; batch = takeRequest(lane)) {
      const unanswered = await send(lane, batch)
      if (unanswered.length === 0) {
        succeeded(lane)
        continue
      }
      await sleep(Math.min(10 * 2 ** lane.failures++, maxPauseMs))
      await leaders.refresh()
      // Leaders may have moved: each record goes to its present leader's lane, in order.
      const again = [...unanswered, ...lane.queue]
      lane.queue = []
      again.filter((entry) => !entry.settled).forEach(route)
    }
    lane.busy = false
  }

  /** Sends once and settles what was answered; returns the rest, in order. */
  async function send(lane: Lane, batch: Entry[]): Promise<Entry[]> {
    const topicMessages = [...Map.groupBy(batch, ({ topic }) => topic)].map(([topic, messages]) => ({ topic, messages }))
    try {
      const byPartition = Map.groupBy(batch, partitionOf)
      await failpoint('publisher.sending')
      const sending = producer.sendBatch({ acks: -1, topicMessages })
      await failpoint('publisher.sent')
      const answers = await sending
      await failpoint('publisher.answered')
      for (const { topicName, partition, errorCode, baseOffset } of answers) {
        if (errorCode !== 0 || baseOffset === undefined) continue
        byPartition.get(partitionOf({ topic: topicName, partition }))?.forEach((entry, index) => {
          entry.settle({ partition, offset: String(BigInt(baseOffset) + BigInt(index)) })
        })
      }
    } catch (error) {
      const code = kafkaErrorType(error)
      log.warn('publish-failed', { error, code, records: batch.length })
      if (code && neverTaken.has(code)) {
        if (batch.length === 1) batch[0]?.settle(new PublishError('refused'))
        halve(lane, batch)
      }
    }
    return batch.filter((entry) => !entry.settled)
  }

  void leaders.refresh()

  return {
    publish(record, until) {
      if (stopping) return Promise.reject(new PublishError('stopping'))
      const bytes = sizeOf(record)
      if (queuedBytes + bytes > maxQueuedBytes) return Promise.reject(new PublishError('queue-full'))
      queuedBytes += bytes
      return new Promise((resolve, reject) => {
        const entry: Entry = { ...record, partition: -1, bytes, until, settled: false, settle }
        function settle(result: Published | PublishError): void {
          if (entry.settled) return
          entry.settled = true
          live.delete(entry)
          queuedBytes -= bytes
          if (result instanceof PublishError) {
            refused = true
            reject(result)
          } else resolve(result)
        }
        live.add(entry)
        route(entry)
      })
    },
    ready: () => leaders.known() && !stopping,
    queuedBytes: () => queuedBytes,
    giveUp() {
      for (const entry of live) entry.settle(new PublishError('aborted'))
    },
    async stop() {
      stopping = true
      while (live.size > 0) await sleep(sweepMs)
      clearInterval(sweeper)
      await leaders.close()
      await producer.disconnect()
      await admin.disconnect()
    },
  }
}

function sizeOf({ key, value, headers }: RawRecord): number {
  let bytes = recordOverheadBytes + key.length + value.length
  for (const name in headers) bytes += name.length + (headers[name] as string).length + 4
  return bytes
}
