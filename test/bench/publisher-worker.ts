/** So many callers of the gateway's publisher, each with one record at a time; acks=all. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKafka } from '../../shared/kafka/client.ts'
import { createPublisher, type RawRecord } from '../../shared/kafka/publisher.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { waitFor } from '../support/wait-for.ts'
import { percentile } from './bench.ts'
import { answerParent } from './worker.ts'

export type Publishing = {
  brokers: string
  topic: string
  /** Of key and value together; there are no headers. */
  recordBytes: number
  callers: number
  warmUpSeconds: number
  seconds: number
}

/** `all` also has what was published before and after the time measured. CPU time is that of this process, callers included. */
export type PublishedRecords = { records: number; all: number; seconds: number; cpuUs: number; p50Ms: number; p99Ms: number }

/** As many as the gateway's partition keys are long; so many spread evenly over the partitions. */
const keyBytes = 43
const keys = Array.from({ length: 1_000 }, () => randomBytes(32).toString('base64url').slice(0, keyBytes))
const patienceMs = 60_000

answerParent(async ({ brokers, topic, recordBytes, callers, warmUpSeconds, seconds }: Publishing): Promise<PublishedRecords> => {
  const log = createLog('publisher', 'warn')
  const publisher = createPublisher({
    kafka: createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: brokers }), 'bench', log),
    topics: [topic],
    log,
  })
  await waitFor('the publisher to know the leaders', publisher.ready)
  const value = randomBytes(recordBytes - keyBytes)
  const latencies: number[] = []
  let counting = false
  let ended = false
  let all = 0
  const call = async (): Promise<void> => {
    while (!ended) {
      const begin = performance.now()
      const record: RawRecord = { topic, key: keys[all % keys.length] as string, value, headers: {} }
      await publisher.publish(record, Date.now() + patienceMs)
      all++
      if (counting) latencies.push(performance.now() - begin)
    }
  }
  const calls = Promise.all(Array.from({ length: callers }, call))
  // A refusal ends the measurement, at once or at its end.
  calls.catch(() => {})
  await sleep(warmUpSeconds * 1_000)
  const [begin, cpuBefore] = [performance.now(), process.cpuUsage()]
  counting = true
  await sleep(seconds * 1_000)
  counting = false
  const [end, { user, system }] = [performance.now(), process.cpuUsage(cpuBefore)]
  ended = true
  await calls
  await publisher.stop()
  const sorted = latencies.sort((a, b) => a - b)
  return {
    records: sorted.length,
    all,
    seconds: (end - begin) / 1_000,
    cpuUs: user + system,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  }
})
