import kafkajs from 'kafkajs'
import type { Kafka } from './client.ts'

/** What services ask the cluster about a topic. */
export type TopicFacts = {
  partitionCount: (topic: string) => Promise<number>
  /** First offset that the log still has, and one past its last. */
  bounds: (topic: string, partition: number) => Promise<{ low: number; high: number }>
  /** First offset with this timestamp or a later one; the end of the log if there is none. */
  offsetAt: (topic: string, partition: number, timestamp: number) => Promise<number>
  /** Where a consumer group goes on; -1 if it has committed nothing. */
  committedOffset: (group: string, topic: string, partition: number) => Promise<number>
  /** Milliseconds; Infinity when kept for ever. */
  retentionMs: (topic: string) => Promise<number>
  close: () => Promise<void>
}

export async function openTopicFacts(kafka: Kafka): Promise<TopicFacts> {
  const admin = kafka.admin()
  await admin.connect()
  return {
    async partitionCount(topic) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions.length ?? 0
    },
    async bounds(topic, partition) {
      const bounds = (await admin.fetchTopicOffsets(topic)).find((entry) => entry.partition === partition)
      if (!bounds) throw new Error(`${topic} has no partition ${partition}`)
      return { low: Number(bounds.low), high: Number(bounds.high) }
    },
    async offsetAt(topic, partition, timestamp) {
      const found = (await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)).find((entry) => entry.partition === partition)
      if (!found) throw new Error(`${topic} has no partition ${partition}`)
      return Number(found.offset)
    },
    async committedOffset(groupId, topic, partition) {
      const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
      return Number(committed?.partitions.find((entry) => entry.partition === partition)?.offset ?? -1)
    },
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
