import type { Topics } from '../../../shared/contracts/topics.ts'
import { type Kafka, outOfRange } from '../../../shared/kafka/client.ts'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import { type Account, type Accounting, createAccounting } from './account.ts'
import { type Cut, outcomeTopics, type RawRange, type Span } from './cut.ts'

type Options = { kafka: Kafka; topics: Topics; groupPrefix: string; maxProblems: number; onProgress: (records: number) => void }

/** Raw records that are marked at once, a byte each. */
const maxMarks = 256 * 1024 * 1024

/** Reads what the cut names. Partitions are read together while their marks fit in memory: origin and outcomes share the partition number. */
export async function readAccount(cut: Cut, options: Options): Promise<Account> {
  const { topics, maxProblems } = options
  const accounting = createAccounting(topics, cut, maxProblems)
  const read = createReadSpans(options, accounting.add)
  const outcomes = [...outcomeTopics(topics), topics.normalized]
  for (const ranges of inWaves(cut.raw, maxMarks)) {
    accounting.open(ranges)
    const partitions = new Set(ranges.map(({ partition }) => partition))
    const spansOf = (topic: string) => (cut.spans.get(topic) ?? []).filter(({ partition }) => partitions.has(partition))
    await read(Map.groupBy(ranges, ({ topic }) => topic))
    await read(new Map(outcomes.map((topic) => [topic, spansOf(topic)])))
    accounting.close()
  }
  // Keyed by merchant and token, syncs have partitions of their own.
  const afterwards = [topics.syncs, topics.deadLetters['merchant-sync']]
  await read(new Map(afterwards.map((topic) => [topic, cut.spans.get(topic) ?? []])))
  return accounting.result()
}

/** How many offsets there are to read: what progress counts up to. */
export function offsetsIn({ raw, spans }: Cut): number {
  return [...raw, ...[...spans.values()].flat()].reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0)
}

/** The ranges of whole partitions, so many at a time that their offsets stay below the limit; a partition that is longer goes alone. Pure. */
export function inWaves(ranges: RawRange[], limit: number): RawRange[][] {
  const waves: RawRange[][] = []
  let room = 0
  for (const [, group] of Map.groupBy(ranges, ({ partition }) => partition)) {
    const size = group.reduce((sum, { from, to }) => sum + to - from, 0)
    const wave = waves.at(-1)
    if (wave && size <= room) wave.push(...group)
    else {
      waves.push([...group])
      room = limit
    }
    room -= size
  }
  return waves
}

/** All spans of all topics at the same time: one consumer a topic. */
function createReadSpans({ kafka, groupPrefix, onProgress }: Options, add: Accounting['add']) {
  let done = 0
  const failed = new AbortController()
  return async (spans: Map<string, Span[]>): Promise<void> => {
    const reading = [...spans].flatMap(([topic, list]) => {
      const readRange = createRangeReader({ kafka, topic, groupPrefix })
      return list.map(({ partition, from, to }) => {
        let at = from
        return readRange({
          partition,
          from,
          to,
          signal: failed.signal,
          async onRecords(records, end) {
            for (const record of records) add(record)
            done += end - at
            at = end
            onProgress(done)
          },
        })
      })
    })
    await Promise.all(reading).catch((error) => {
      failed.abort(error)
      const lost = outOfRange(error)
      throw lost ? new Error(`${lost.topic}/${lost.partition}: records left retention while they were read. Run it again`) : error
    })
  }
}
