import { outOfRange } from '../../../shared/kafka/client.ts'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import type { KafkaSession } from '../kafka-session.ts'
import type { ReplayRange } from './selection.ts'

/** Chunks in offset order within a partition; `end` is the offset before which all has been handed over. */
type OnRecords = (records: SourceRecord[], range: ReplayRange, end: number) => Promise<void> | void

/** Reads ranges of any topics at the same time, one consumer a topic. A throw of `onRecords` ends it when the other partitions have handed over their chunk. */
export async function readRanges(session: KafkaSession, ranges: ReplayRange[], onRecords: OnRecords): Promise<void> {
  let failed: unknown
  const reading = [...Map.groupBy(ranges, ({ topic }) => topic)].flatMap(([topic, ofTopic]) => {
    const read = createRangeReader({ kafka: session.kafka, topic, groupPrefix: `${session.topicPrefix}operator.` })
    return ofTopic.map((range) =>
      read({
        ...range,
        async onRecords(records, end) {
          if (failed) throw failed
          await onRecords(records, range, end)
        },
      }).catch((error) => {
        failed ??= error
      }),
    )
  })
  await Promise.all(reading)
  if (failed) throw explain(failed)
}

function explain(error: unknown): unknown {
  const lost = outOfRange(error)
  if (!lost) return error
  return new Error(`${lost.topic}/${lost.partition}: records left retention while they were read. Choose a later range`, {
    cause: error,
  })
}

/** The first record of each range that holds any. */
export async function firstRecords(session: KafkaSession, ranges: ReplayRange[]): Promise<Map<ReplayRange, SourceRecord>> {
  const firsts = new Map<ReplayRange, SourceRecord>()
  const reading = [...Map.groupBy(ranges, ({ topic }) => topic)].flatMap(([topic, ofTopic]) => {
    const read = createRangeReader({ kafka: session.kafka, topic, groupPrefix: `${session.topicPrefix}operator.` })
    return ofTopic.map(async (range) => {
      const found = new AbortController()
      await read({
        ...range,
        signal: found.signal,
        async onRecords([record]) {
          if (!record || firsts.has(range)) return
          firsts.set(range, record)
          found.abort()
        },
      }).catch((error) => {
        if (!found.signal.aborted) throw error
      })
    })
  })
  await Promise.all(reading)
  return firsts
}

export const firstRecord = async (session: KafkaSession, range: ReplayRange): Promise<SourceRecord | undefined> =>
  (await firstRecords(session, [range])).get(range)
