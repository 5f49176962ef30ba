import { readTopics } from '../../shared/kafka/reader.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { testKafka } from './topic-set.ts'

/** Everything a read_committed reader sees of these topics now, in offset order per partition. */
export async function readAll(...topics: string[]): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  const reader = await readTopics({ kafka: testKafka('read-all'), topics, onRecord: (record) => void records.push(record) })
  await reader.caughtUp
  await reader.stop()
  return records
}
