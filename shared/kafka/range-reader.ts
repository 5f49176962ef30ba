/**
 * Reads ranges of offsets again, read_committed, without a trace: for claims that are made anew, and for replay. Ranges that are asked for at the
 * same time share one consumer.
 */
import { randomUUID } from 'node:crypto'
import { fetchedFrom, type Kafka, sessionTimeoutMs } from './client.ts'
import { type Consumer, kafkajs, type PartitionAssigner } from './kafkajs.ts'
import { type SourceRecord, toSourceRecord } from './record.ts'

export type Range = {
  partition: number
  from: number
  to: number
  /** Chunks in order; `end` is where the next one begins (control and aborted records are skipped), at last exactly `to`. */
  onRecords: (records: SourceRecord[], end: number) => Promise<void>
  signal?: AbortSignal | undefined
}
/** Resolves when the range has been handed over. Rejects with the error of `onRecords`, of Kafka, or when aborted. */
export type RangeReader = (range: Range) => Promise<void>

type Reader = { kafka: Kafka; topic: string; groupPrefix: string }
/** `at`: all before it has been handed over. `turn`: what is being handed over, so that the next waits for it. */
type Reading = Range & { at: number; turn: Promise<void>; settled: boolean; settle: (error?: Error) => void; over: Promise<void> }

const gatherMs = 10
const maxChunk = 1_000
const heartbeatMs = 3_000

export function createRangeReader(reader: Reader): RangeReader {
  let gathered = new Map<number, Reading>()
  return (range) =>
    new Promise((resolve, reject) => {
      if (range.from >= range.to) return resolve()
      const reading = createReading(range, resolve, reject)
      // Two readings of one partition cannot share a consumer: the second begins another round.
      if (gathered.has(range.partition)) gathered = new Map()
      const mine = gathered.set(range.partition, reading)
      if (mine.size > 1) return
      setTimeout(() => {
        if (gathered === mine) gathered = new Map()
        readAll(reader, mine).catch((error) => {
          for (const one of mine.values()) one.settle(error)
        })
      }, gatherMs)
    })
}

function createReading(range: Range, resolve: () => void, reject: (error: Error) => void): Reading {
  let ended = () => {}
  const over = new Promise<void>((yes) => {
    ended = yes
  })
  const onAbort = () => reading.settle(range.signal?.reason)
  const reading: Reading = {
    ...range,
    at: range.from,
    turn: Promise.resolve(),
    settled: false,
    over,
    settle(error) {
      if (reading.settled) return
      reading.settled = true
      range.signal?.removeEventListener('abort', onAbort)
      if (error) reject(error)
      else resolve()
      ended()
    },
  }
  if (range.signal?.aborted) onAbort()
  else range.signal?.addEventListener('abort', onAbort)
  return reading
}

async function readAll({ kafka, topic, groupPrefix }: Reader, readings: Map<number, Reading>): Promise<void> {
  const groupId = `${groupPrefix}range.${randomUUID()}`
  const all = [...readings.values()]
  let ended = false
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners: [onlyPartitions(topic, [...readings.keys()])],
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: sessionTimeoutMs / 4,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
    // Reading alone takes a third less CPU than with 4 MiB, of which all partitions' records are in memory at once.
    maxBytesPerPartition: 512 * 1024,
    metadataMaxAge: 5_000,
    retry: { retries: 8, maxRetryTime: 1_000, restartOnFailure: async () => !ended },
  })
  // At the first join and at any later one, since kafkajs forgets its positions then.
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const { partition, at, settled } of all) if (!settled) consumer.seek({ topic, partition, offset: String(at) })
  })
  // A batch of control or aborted records only never reaches eachBatch, but it may be what ends the range. kafkajs does not say where its fetch
  // began: it goes on from where the last one ended, and the first record may lie beyond a hole that compaction left.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const reading = readings.get(payload.partition)
    if (reading && payload.batchSize === 0) void handOver(reading, 0, [], Number(payload.lastOffset) + 1)
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) for (const reading of all) reading.settle(payload.error)
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: readings.size,
      eachBatch: async ({ batch, heartbeat }) => {
        const reading = readings.get(batch.partition)
        if (!reading || reading.settled) return
        const records = batch.messages.map((message) => toSourceRecord(topic, batch.partition, message))
        const end = Number(batch.lastOffset()) + 1
        let begin = fetchedFrom(batch)
        // What is done with a chunk may take longer than the session lasts: a replay has a rate.
        const beating = setInterval(() => void heartbeat().catch(() => {}), heartbeatMs)
        try {
          for (let index = 0; index < records.length; index += maxChunk) {
            const chunk = records.slice(index, index + maxChunk)
            const next = index + maxChunk < records.length ? (chunk.at(-1)?.offset as number) + 1 : end
            await handOver(reading, begin, chunk, next)
            begin = next
            await heartbeat()
          }
        } finally {
          clearInterval(beating)
        }
      },
    })
    await Promise.all(all.map(({ over }) => over))
  } finally {
    ended = true
    await endQuietly(kafka, consumer, groupId)
  }
}

/** One after the other, never with a hole: records that begin beyond `at` are an error, those before it were handed over. */
function handOver(reading: Reading, begin: number, records: SourceRecord[], end: number): Promise<void> {
  reading.turn = reading.turn.then(async () => {
    const upTo = Math.min(end, reading.to)
    if (reading.settled || upTo <= reading.at) return
    try {
      if (begin > reading.at) throw new Error(`Offsets ${reading.at} to ${begin - 1} were not read`)
      const wanted = records.filter(({ offset }) => offset >= reading.at && offset < reading.to)
      await reading.onRecords(wanted, upTo)
      reading.at = upTo
      if (reading.at >= reading.to) reading.settle()
    } catch (error) {
      reading.settle(error as Error)
    }
  })
  return reading.turn
}

async function endQuietly(kafka: Kafka, consumer: Consumer, groupId: string): Promise<void> {
  await consumer.disconnect().catch(() => {})
  const admin = kafka.admin()
  await admin
    .connect()
    .then(() => admin.deleteGroups([groupId]))
    .catch(() => {})
  await admin.disconnect().catch(() => {})
}

/** The group's only member gets these partitions and no others. */
function onlyPartitions(topic: string, partitions: number[]): PartitionAssigner {
  const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol
  return () => ({
    name: 'only-partitions',
    version: 1,
    assign: async ({ members }) =>
      members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({ version: 1, assignment: { [topic]: partitions }, userData: Buffer.alloc(0) }),
      })),
    protocol: ({ topics }) => ({
      name: 'only-partitions',
      metadata: MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
    }),
  })
}
