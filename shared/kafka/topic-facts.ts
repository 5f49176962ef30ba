import { createRequire } from 'node:module'
import type { Kafka } from './client.ts'
import { type Admin, kafkajs } from './kafkajs.ts'

/** First offset that the log still has, and one past its last record, committed or not. */
export type Bounds = { low: number; high: number }

/** What services ask the cluster about topics. Maps are by partition. */
export type TopicFacts = {
  /** Which of these topics the cluster does not have. */
  missing: (topics: string[]) => Promise<string[]>
  partitionCount: (topic: string) => Promise<number>
  bounds: (topic: string, partition: number) => Promise<Bounds>
  allBounds: (topic: string) => Promise<Map<number, Bounds>>
  /** First offset with this timestamp or a later one (control records count); the end of the log if there is none. */
  offsetAt: (topic: string, partition: number, timestamp: number) => Promise<number>
  allOffsetsAt: (topic: string, timestamp: number) => Promise<Map<number, number>>
  /**
   * Where to begin so as to miss nothing with this timestamp or a later one: as `offsetAt`, but the start of the log where a broker knows none. Kafka
   * 4.1.2 also says none for a time before the first record of a segment whose first records were deleted (`kafka-delete-records.sh`).
   */
  startAt: (topic: string, partition: number, timestamp: number) => Promise<number>
  /** Where a consumer group goes on; -1 if it has committed nothing. Offsets inside an open transaction do not count. */
  committedOffset: (group: string, topic: string, partition: number) => Promise<number>
  allCommitted: (group: string, topic: string) => Promise<Map<number, number>>
  /** Milliseconds; Infinity when kept for ever. */
  retentionMs: (topic: string) => Promise<number>
  close: () => Promise<void>
}

export async function openTopicFacts(kafka: Kafka): Promise<TopicFacts> {
  const admin = createUncommittedAdmin(kafka)
  await admin.connect()
  const allBounds = async (topic: string) => {
    const entries = await admin.fetchTopicOffsets(topic)
    return new Map(entries.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]))
  }
  const allOffsetsAt = async (topic: string, timestamp: number) => {
    const entries = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
    return new Map(entries.map(({ partition, offset }) => [partition, Number(offset)]))
  }
  const allCommitted = async (groupId: string, topic: string) => {
    const [entry] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return new Map(entry?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  }
  return {
    allBounds,
    allOffsetsAt,
    async missing(topics) {
      const listed = new Set(await admin.listTopics())
      return topics.filter((topic) => !listed.has(topic))
    },
    async partitionCount(topic) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions.length ?? 0
    },
    bounds: async (topic, partition) => ofPartition(await allBounds(topic), topic, partition),
    offsetAt: async (topic, partition, timestamp) => ofPartition(await allOffsetsAt(topic, timestamp), topic, partition),
    async startAt(topic, partition, timestamp) {
      const { low, high } = ofPartition(await allBounds(topic), topic, partition)
      const found = ofPartition(await allOffsetsAt(topic, timestamp), topic, partition)
      return found < high ? Math.max(low, found) : low
    },
    allCommitted,
    committedOffset: async (group, topic, partition) => (await allCommitted(group, topic)).get(partition) ?? -1,
    async retentionMs(topic) {
      const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }]
      const described = await admin.describeConfigs({ resources, includeSynonyms: false })
      const value = Number(
        described.resources[0]?.configEntries.find(({ configName }) => configName === 'retention.ms')?.configValue,
      )
      return value < 0 ? Number.POSITIVE_INFINITY : value
    },
    close: () => admin.disconnect(),
  }
}

function ofPartition<T>(found: Map<number, T>, topic: string, partition: number): T {
  const value = found.get(partition)
  if (value === undefined) throw new Error(`${topic} has no partition ${partition}`)
  return value
}

type CreateCluster = (options: { allowAutoTopicCreation: boolean; isolationLevel: number }) => object
const createAdmin: (options: object) => Admin = createRequire(import.meta.url)('kafkajs/src/admin')
const readUncommitted = 0

/**
 * kafkajs's own admin asks read_committed and has no option for it: its `high` is where the oldest open transaction begins, which can lie
 * *before* records whose source offsets are committed already. This one is made as `kafka.admin()` is, and sees the end of the log.
 */
function createUncommittedAdmin(kafka: Kafka): Admin {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster')
  if (!symbol) throw new Error('kafkajs: its cluster is not made where version 2.2.4 makes it')
  const createCluster = (kafka as unknown as Record<symbol, CreateCluster>)[symbol] as CreateCluster
  const cluster = createCluster({ allowAutoTopicCreation: false, isolationLevel: readUncommitted })
  return createAdmin({ logger: kafka.logger(), cluster })
}
