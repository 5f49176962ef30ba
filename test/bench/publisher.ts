/** How many records a second the gateway's publisher alone puts into Kafka, beside Kafka's own producer in Java. */
import { join } from 'node:path'
import { kafkaClassPath } from '../../deploy/local/kafka-jars.ts'
import { startOwned } from '../../deploy/local/owned-process.ts'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { createTopicSet } from '../support/topic-set.ts'
import { type Bench, type Figure, median, ratioAtLeast, type World } from './bench.ts'
import { partitions } from './gateway-scene.ts'
import type { PublishedRecords, Publishing } from './publisher-worker.ts'
import { inWorker } from './worker.ts'

const recordBytes = 1_024
const callerCounts = [1, 64, 256, 1_000]
/** Twice what a request takes at most, so that the next one is full when the last one is answered. */
const manyCallers = 2_000
/** It is told how many records, not how long, and is slow at first: more than it sends in that time, so that it is warm in the end. */
const javaRecordsPerSecond = 100_000

export const publisher: Bench = {
  name: 'publisher',
  about: `records a second of the publisher alone: ${recordBytes} bytes of key and value, ${partitions} partitions, acks=all`,
  async run(world: World) {
    const { topics, kafka } = await createTopicSet(world, { partitions })
    const topic = topics.raw.alipayplus
    const facts = await openTopicFacts(kafka)
    world.teardown(facts.close)
    const stored = async () => [...(await facts.allBounds(topic)).values()].reduce((sum, { high }) => sum + high, 0)
    const publish = async (callers: number) => {
      const { brokers, seconds } = world
      const before = await stored()
      const question: Publishing = { brokers, topic, recordBytes, callers, warmUpSeconds: seconds / 5, seconds }
      const published = await inWorker<PublishedRecords>('publisher-worker.ts', question)
      const found = (await stored()) - before
      if (found < published.all) throw new Error(`${published.all} records were acknowledged, but ${topic} has ${found} more.`)
      return published
    }
    const counts = [...callerCounts, manyCallers]
    const measured = new Map<number, PublishedRecords[]>(counts.map((callers) => [callers, []]))
    const java: number[] = []
    const bar = world.progress('publisher', world.repeat * (counts.length + 1))
    let done = 0
    for (let n = 0; n < world.repeat; n++) {
      for (const callers of counts) {
        measured.get(callers)?.push(await publish(callers))
        bar.advance(++done)
      }
      java.push(await producerPerformance(world, topic, Math.round(javaRecordsPerSecond * world.seconds)))
      bar.advance(++done)
    }
    bar.end()
    const figures = [...measured].map(([callers, published]): Figure => {
      const ms = (which: 'p50Ms' | 'p99Ms') => `${median(published.map((each) => each[which])).toFixed(1)} ms`
      return {
        name: `publisher/${callers}`,
        what: `${callers} caller${callers === 1 ? '' : 's'}, each with one record at a time`,
        unit: 'records/s',
        values: published.map(({ records, seconds }) => records / seconds),
        ...(callers === manyCallers && {
          ceiling: { what: 'Java `ProducerPerformance`, the best 5 s of each run', values: java },
        }),
        cpuUs: published.map(({ cpuUs, records }) => cpuUs / records),
        goals: callers === manyCallers ? [ratioAtLeast(0.5)] : [],
        note: `p50 ${ms('p50Ms')}, p99 ${ms('p99Ms')}`,
      }
    })
    return { figures }
  },
}

/** Its records have values only. It reports every 5 s and in the end; the first reports are those of a JVM that still compiles. */
async function producerPerformance({ brokers, dir, say }: World, topic: string, records: number): Promise<number> {
  const classPath = await kafkaClassPath(join(projectRoot, '.local/kafka'), say)
  const options = ['--topic', topic, '--num-records', String(records), '--record-size', String(recordBytes), '--throughput', '-1']
  const args = ['-cp', classPath, 'org.apache.kafka.tools.ProducerPerformance', ...options]
  const owned = await startOwned({
    name: 'ProducerPerformance',
    command: 'java',
    args: [...args, '--producer-props', `bootstrap.servers=${brokers}`, 'acks=all'],
    logFile: join(dir, 'producer-performance.log'),
  })
  const { code } = await owned.exited
  const reports = [...owned.output().matchAll(/^(\d+) records sent, ([\d.]+) records\/sec/gm)]
  if (code !== 0 || Number(reports.at(-1)?.[1]) !== records)
    throw new Error(`ProducerPerformance did not send ${records} records (log: ${owned.logFile}).`)
  return Math.max(...reports.map(([, , perSecond]) => Number(perSecond)))
}
