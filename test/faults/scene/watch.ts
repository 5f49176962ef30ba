/** What a read_committed subscriber sees while faults are on: when each record arrived, and how late it was. */
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Topics } from '../../../shared/contracts/topics.ts'
import type { Kafka } from '../../../shared/kafka/client.ts'
import { readTopics } from '../../../shared/kafka/reader.ts'
import { checkedTopics } from '../checker/topic-names.ts'

/** `latencyMs`: from the broker's stamp on the raw record to the arrival here. */
type Arrival = { at: number; latencyMs: number; duplicate: boolean }

export type Watch = Awaited<ReturnType<typeof startWatch>>

const delayedMs = 1_000

/** Its positions are a file of JSON lines, which the offline checker compares with what its own client reads. */
export async function startWatch(options: {
  kafka: Kafka
  prefix: string
  topics: Topics
  positionsFile: string
  onDeath: (error: Error) => void
}) {
  const { kafka, prefix, topics, positionsFile, onDeath } = options
  const positions = createWriteStream(positionsFile)
  const arrivals: Arrival[] = []
  const ends = new Map<string, Map<number, number>>()
  let outcomes = 0
  const outcomeTopics = new Set([
    topics.events,
    topics.duplicates,
    topics.deadLetters.normalizer,
    topics.deadLetters.deduplicator,
  ])
  const reader = await readTopics({
    kafka,
    topics: checkedTopics(prefix),
    onDeath,
    onRecord({ topic, partition, offset, timestamp }) {
      positions.write(`${JSON.stringify({ topic, partition, offset })}\n`)
      ends.set(topic, (ends.get(topic) ?? new Map<number, number>()).set(partition, offset + 1))
      if (!outcomeTopics.has(topic)) return
      outcomes++
      const at = Date.now()
      if (topic === topics.events || topic === topics.duplicates)
        arrivals.push({ at, latencyMs: at - timestamp, duplicate: topic === topics.duplicates })
    },
  })
  await reader.caughtUp
  return {
    /** Events, duplicates and dead letters so far. */
    outcomes: () => outcomes,
    /** Behind the last record seen of each partition. */
    ends: (topic: string) => ends.get(topic) ?? new Map<number, number>(),
    /** Of the records that arrived in [from, to): how many took longer than a second, and how many were duplicates. */
    between(from: number, to: number) {
      const arrived = arrivals.filter(({ at }) => at >= from && at < to)
      return {
        delayed: arrived.filter(({ latencyMs }) => latencyMs > delayedMs).length,
        duplicates: arrived.filter(({ duplicate }) => duplicate).length,
      }
    },
    async stop(): Promise<void> {
      await reader.stop()
      positions.end()
      await finished(positions)
    },
  }
}
