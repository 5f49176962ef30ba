/** What a gateway would do that used kafkajs as its guide shows: `producer.send` for one record, acks=all, its own encoding, then the next. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createKafka } from '../../shared/kafka/client.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { percentile } from './bench.ts'
import { answerParent } from './worker.ts'

export type Sending = {
  brokers: string
  topic: string
  /** Sent in turn, again and again. */
  records: { key: string; value: string; headers: Record<string, string> }[]
  warmUpSeconds: number
  seconds: number
}

export type Sent = { records: number; p50Ms: number; p99Ms: number }

answerParent(async ({ brokers, topic, records, warmUpSeconds, seconds }: Sending): Promise<Sent> => {
  const env = readEnv(kafkaEnv, { KAFKA_BROKERS: brokers, KAFKAJS_ENCODING: 'true' })
  const producer = createKafka(env, 'bench', createLog('producer', 'error')).producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const latencies: number[] = []
  let counting = false
  let ended = false
  const send = async (): Promise<void> => {
    for (let sent = 0; !ended; sent++) {
      const begin = performance.now()
      const message = records[sent % records.length] as Sending['records'][number]
      await producer.send({ topic, acks: -1, messages: [message] })
      if (counting) latencies.push(performance.now() - begin)
    }
  }
  const sending = send()
  sending.catch(() => {})
  await sleep(warmUpSeconds * 1_000)
  counting = true
  await sleep(seconds * 1_000)
  counting = false
  ended = true
  await sending
  await producer.disconnect()
  const sorted = latencies.sort((a, b) => a - b)
  return { records: sorted.length, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
})
