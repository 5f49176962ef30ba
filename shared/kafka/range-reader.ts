/**
 * Reads ranges of offsets again, read_committed, without a trace: for claims that are made anew, and for replay. Ranges that are asked for at the
 * same time share one consumer.
 */
import { randomUUID } from 'node:crypto'
import kafkajs, { type Consumer, type PartitionAssigner } from 'kafkajs'
import type { Kafka } from './client.ts'
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

type Reading = Range & { at: number; done: () => void; failed: (error: Error) => void; settled: boolean }

const gatherMs = 10
const maxChunk = 1_000

export function createRangeReader(options: { kafka: Kafka; topic: string; groupPrefix: string }): RangeReader {
  let gathered: Reading[] = []
  return (range) =>
    new Promise((resolve, reject) => {
      if (range.from >= range.to) return resolve()
      const reading: Reading = { ...range, at: range.from, settled: false, done: resolve, failed: reject }
      gathered.push(reading)
      if (gathered.length > 1) return
      setTimeout(() => {
        const readings = gathered
        gathered = []
        readAll(options, readings).catch((error) => {
          for (const one of readings) settle(one, error)
        })
      }, gatherMs)
    })
}

function settle(reading: Reading, error?: Error): void {
  if (reading.settled) return
  reading.settled = true
  if (error) reading.failed(error)
  else reading.done()
}

async function readAll(
  { kafka, topic, groupPrefix }: { kafka: Kafka; topic: string; groupPrefix: string },
  readings: Reading[],
): Promise<void> {
  const groupId = `${groupPrefix}range.${randomUUID()}`
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners: [
      onlyPartitions(
        topic,
        readings.map(({ partition }) => partition),
      ),
    ],
    readUncommitted: false,
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 4 * 1024 * 1024,
  })
  const byPartition = new Map(readings.map((reading) => [reading.partition, reading]))
  const finished = Promise.all(readings.map((reading) => untilSettled(reading)))

  /** A batch of control or aborted records only never reaches eachBatch, but it may be what ends the range. */
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const reading = byPartition.get(payload.partition)
    if (!reading || payload.batchSize > 0 || Number(payload.firstOffset) < reading.from) return
    void advance(reading, [], Number(payload.lastOffset) + 1)
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) for (const reading of readings) settle(reading, payload.error)
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: readings.length,
      eachBatch: async ({ batch, heartbeat, isStale }) => {
        const reading = byPartition.get(batch.partition)
        // Before the seek below takes hold, kafkajs may bring the start of the log.
        if (
          !reading ||
          reading.settled ||
          isStale() ||
          Number((batch as unknown as { fetchedOffset: string }).fetchedOffset) < reading.from
        )
          return
        const messages = batch.messages.filter(({ offset }) => Number(offset) >= reading.at && Number(offset) < reading.to)
        for (let index = 0; index < messages.length; index += maxChunk) {
          const chunk = messages.slice(index, index + maxChunk).map((message) => toSourceRecord(topic, batch.partition, message))
          await advance(reading, chunk, (chunk.at(-1)?.offset as number) + 1)
          await heartbeat()
        }
        await advance(reading, [], Number(batch.lastOffset()) + 1)
      },
    })
    for (const { partition, from } of readings) consumer.seek({ topic, partition, offset: String(from) })
    await finished
  } finally {
    await endQuietly(kafka, consumer, groupId)
  }
}

async function advance(reading: Reading, records: SourceRecord[], end: number): Promise<void> {
  if (reading.settled) return
  const upTo = Math.min(end, reading.to)
  try {
    reading.signal?.throwIfAborted()
    if (upTo > reading.at) await reading.onRecords(records, upTo)
    reading.at = Math.max(reading.at, upTo)
    if (reading.at >= reading.to) settle(reading)
  } catch (error) {
    settle(reading, error as Error)
  }
}

/** Never rejects: one range that fails must not end the others. */
function untilSettled(reading: Reading): Promise<void> {
  const { done, failed } = reading
  return new Promise((resolve) => {
    reading.done = () => {
      done()
      resolve()
    }
    reading.failed = (error) => {
      failed(error)
      resolve()
    }
  })
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
