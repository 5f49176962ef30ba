/** The process that reads ranges of a topic as a rebuild does, and does nothing with them. */
import { createKafka } from '../../shared/kafka/client.ts'
import { createRangeReader } from '../../shared/kafka/range-reader.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { answerParent } from './worker.ts'

export type RangesInput = { brokers: string; topic: string; groupPrefix: string; ranges: { partition: number; to: number }[] }
export type RangesRead = { records: number; ms: number; cpuUs: number }

answerParent(async ({ brokers, topic, groupPrefix, ranges }: RangesInput): Promise<RangesRead> => {
  const kafka = createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: brokers }), 'bench', createLog('bench', 'error'))
  const readRange = createRangeReader({ kafka, topic, groupPrefix })
  async function readAll(): Promise<RangesRead> {
    let records = 0
    const cpu = process.cpuUsage()
    const begun = performance.now()
    const onRecords = async (chunk: unknown[]) => {
      records += chunk.length
    }
    await Promise.all(ranges.map((range) => readRange({ ...range, from: 0, onRecords })))
    const { user, system } = process.cpuUsage(cpu)
    return { records, ms: performance.now() - begun, cpuUs: user + system }
  }
  // Once in vain: the deduplicator has read the same before, too.
  await readAll()
  return readAll()
})
