import type { Kafka } from '../../shared/kafka/client.ts'
import { readTopics } from '../../shared/kafka/reader.ts'

/** Records of a topic and the bytes of their keys, values and headers. */
export type Contents = { records: number; bytes: number }

/** What a read_committed reader finds in these topics from their beginning to their end as of now, by topic. */
export async function countRecords(kafka: Kafka, topics: string[]): Promise<(topic: string) => Contents> {
  const contents = new Map(topics.map((topic) => [topic, { records: 0, bytes: 0 }]))
  const of = (topic: string) => contents.get(topic) as Contents
  const reader = await readTopics({
    kafka,
    topics,
    onRecord({ topic, key, value, headers }) {
      const counted = of(topic)
      counted.records++
      counted.bytes += (key?.length ?? 0) + (value?.length ?? 0)
      for (const name in headers) counted.bytes += name.length + (headers[name] as string).length
    },
  })
  await reader.caughtUp
  await reader.stop()
  return of
}
