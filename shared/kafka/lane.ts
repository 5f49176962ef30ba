/** One lane: what waits for one leader broker, and what of it makes the next request. */
import type { PublishError, Published, RawRecord } from './publisher.ts'

export type Entry = RawRecord & {
  /** -1 until the topic's partitions are known. */
  partition: number
  bytes: number
  /** Milliseconds since 1970. */
  until: number
  settled: boolean
  settle: (result: Published | PublishError) => void
}

export type Lane = { queue: Entry[]; busy: boolean; limit: number; failures: number }

/** kafkajs copies an array per record, so a request beyond some thousand records costs more than it saves. */
const maxBatchRecords = 1_000
/** Brokers refuse a partition's batch above 1 MiB by default (`message.max.bytes`). */
const maxPartitionBytes = 900_000

export const createLane = (): Lane => ({ queue: [], busy: false, limit: maxBatchRecords, failures: 0 })

/** Takes the next request off the lane: in order, whole, without what was settled meanwhile (its deadline passed). */
export function takeRequest(lane: Lane): Entry[] {
  const batch: Entry[] = []
  const bytes = new Map<string, number>()
  let rest = 0
  for (; rest < lane.queue.length && batch.length < lane.limit; rest++) {
    const entry = lane.queue[rest] as Entry
    if (entry.settled) continue
    const where = partitionOf(entry)
    const sum = (bytes.get(where) ?? 0) + entry.bytes
    if (sum > maxPartitionBytes && bytes.has(where)) break
    bytes.set(where, sum)
    batch.push(entry)
  }
  lane.queue.splice(0, rest)
  return batch
}

export const partitionOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`

export function succeeded(lane: Lane): void {
  lane.failures = 0
  lane.limit = maxBatchRecords
}

/** One record the broker never takes must not fail its neighbours: halve until it is alone. */
export function halve(lane: Lane, batch: Entry[]): void {
  lane.limit = Math.max(1, Math.floor(batch.length / 2))
}
