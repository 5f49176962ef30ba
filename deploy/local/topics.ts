import { type Topics, topicNames, topicSettings } from '../../shared/contracts/topics.ts'
import { createKafka, type Kafka } from '../../shared/kafka/client.ts'
import { applyTopics, planTopics, topicShapes } from '../../shared/kafka/topics.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog, describeError } from '../../shared/runtime/log.ts'

const mostReplicas = 3

/** A client for the laptop's own tools: quiet, since each of them has its own last word on a failure. */
export function quietKafka(brokers: string, overrides: Parameters<typeof createKafka>[3] = {}): Kafka {
  return createKafka(
    readEnv(kafkaEnv, { ...process.env, KAFKA_BROKERS: brokers }),
    'local',
    createLog('local', 'silent'),
    overrides,
  )
}

/**
 * Makes the pipeline's topics. On our own Kafka they are brought up to what the code says; on
 * somebody else's only what is missing is made, and nothing that exists is changed.
 */
export async function makeTopics(kafka: Kafka, options: { prefix: string; partitions: number; own: boolean }): Promise<Topics> {
  const { prefix, partitions, own } = options
  const topics = topicNames(prefix)
  const shapes = topicShapes(topicSettings(topics, partitions), Math.min(mostReplicas, await brokerCount(kafka)))
  const missing = (await planTopics(kafka, shapes)).filter(({ mend }) => mend === 'create').map(({ topic }) => topic)
  const { left } = await applyTopics(kafka, own ? shapes : shapes.filter(({ topic }) => missing.includes(topic)))
  const [first] = left
  if (first)
    throw new Error(
      `Topic ${first.topic}: ${first.what} is ${first.found}, wanted ${first.wanted}. Start with --reset, or use another TOPIC_PREFIX.`,
    )
  return topics
}

async function brokerCount(kafka: Kafka): Promise<number> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length
  } catch (error) {
    throw new Error(`Kafka cannot be reached: ${describeError(error)}`)
  } finally {
    await admin.disconnect()
  }
}
