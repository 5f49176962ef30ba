import { readTopics } from '../../shared/kafka/reader.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { testKafka } from './topic-set.ts'
import { waitFor } from './wait-for.ts'

/** Everything a read_committed reader sees of these topics now, in offset order per partition. */
export async function readAll(...topics: string[]): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  const reader = await readTopics({ kafka: testKafka('read-all'), topics, onRecord: (record) => void records.push(record) })
  await reader.caughtUp
  await reader.stop()
  return records
}

/** As `readAll`, once no transaction is under way: Kafka answers a commit before its markers are written, and a reader's end lies before them. */
export async function readSettled(...topics: string[]): Promise<SourceRecord[]> {
  const kafka = testKafka('read-settled')
  const [facts, admin] = [await openTopicFacts(kafka), kafka.admin()]
  await admin.connect()
  for (const topic of topics) {
    await waitFor(`transactions to end in ${topic}`, async () => {
      const stable = await admin.fetchTopicOffsets(topic)
      const ends = await facts.allBounds(topic)
      return stable.every(({ partition, high }) => Number(high) === ends.get(partition)?.high)
    })
  }
  await Promise.all([facts.close(), admin.disconnect()])
  return readAll(...topics)
}
