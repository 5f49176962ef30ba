import { header } from '../../shared/contracts/headers.ts'
import { readAll } from '../support/read-topic.ts'
import { type TopicSet, testStack } from '../support/topic-set.ts'

export const idOf = (n: number) => n.toString(16).padStart(32, '0')

/** Normalized events without a normalizer: what the deduplicator reads are headers, and the value it hands on. */
export async function produce(set: TopicSet, numbers: number[]): Promise<void> {
  const producer = set.kafka.producer()
  await producer.connect()
  const messages = numbers.map((n) => ({
    key: `k${n}`,
    value: JSON.stringify({ eventId: idOf(n), late: false }),
    partition: n % set.partitions,
    headers: { [header.id]: idOf(n), [header.contentHash]: idOf(n), [header.origin]: `raw/0/${n}` },
  }))
  await producer.send({ topic: set.topics.normalized, acks: -1, messages })
  await producer.disconnect()
}

export const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1)
export const eventIds = async (set: TopicSet) =>
  (await readAll(set.topics.events)).map(({ headers }) => headers[header.id] as string)
export const envOf = (set: TopicSet, redisUrl: string, more: Record<string, string> = {}) => ({
  KAFKA_BROKERS: testStack().brokers,
  TOPIC_PREFIX: set.prefix,
  REDIS_URL: redisUrl,
  ...more,
})
