import { randomBytes } from 'node:crypto'
import { makeTopics } from '../../deploy/local/topics.ts'
import { type Topics, topicSettings } from '../../shared/contracts/topics.ts'
import { createKafka, type Kafka } from '../../shared/kafka/client.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'

/** What `npm test` started for this run. */
export function testStack(): { brokers: string; redisUrl: string } {
  const { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl } = process.env
  if (!brokers || !redisUrl) throw new Error('This test needs Kafka and Redis: run it with npm test -- <part of its path>')
  return { brokers, redisUrl }
}

/** A client of the run's Kafka that says nothing. */
export function testKafka(clientId = 'test'): Kafka {
  return createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: testStack().brokers }), clientId, createLog('test', 'silent'))
}

export type TopicSet = { prefix: string; topics: Topics; partitions: number; kafka: Kafka }

/** Anything that ends: a tap test. */
export type Teardown = { teardown: (handler: () => Promise<void> | void) => void }

/** All topics of the pipeline under a prefix of the test's own, so that tests share one broker and nothing else. Deleted at its end. */
export async function createTopicSet(t: Teardown, { partitions = 4 }: { partitions?: number } = {}): Promise<TopicSet> {
  const prefix = `test-${randomBytes(4).toString('hex')}.`
  const kafka = testKafka()
  const topics = await makeTopics(kafka, { prefix, partitions, own: true })
  t.teardown(async () => {
    const admin = kafka.admin()
    await admin.connect()
    await admin
      .deleteTopics({ topics: topicSettings(topics, partitions).map(({ topic }) => topic) })
      .finally(() => admin.disconnect())
  })
  return { prefix, topics, partitions, kafka }
}
