/** The one place where a Kafka client is made. kafkajs stays behind `shared/kafka` and `shared/stage`. */

import type { Env, kafkaEnv } from '../runtime/env.ts'
import type { Log } from '../runtime/log.ts'
import { type EachBatchPayload, type Kafka, type KafkaConfig, kafkajs, type logLevel } from './kafkajs.ts'
import { useKafkajsEncoding } from './kafkajs-encoding.ts'

export type { Admin, EachBatchPayload, Kafka, KafkaMessage, Producer } from './kafkajs.ts'

export type KafkaEnv = Env<typeof kafkaEnv>

/** A session shorter than 6 s is refused by a broker with its default settings; a killed member's partitions move after this long. */
export const sessionTimeoutMs = 6_000

/**
 * `requestTimeout` stays above the session time-out, because join and sync wait for the slowest member (`kafkajs.md` §E.2); a hung
 * broker is noticed after it. Retries are short: they are also the pause before a crashed consumer comes back.
 */
export function createKafka(env: KafkaEnv, clientId: string, log: Log, overrides: Partial<KafkaConfig> = {}): Kafka {
  const sasl = env.KAFKA_USERNAME
    ? { mechanism: 'scram-sha-512' as const, username: env.KAFKA_USERNAME, password: env.KAFKA_PASSWORD }
    : undefined
  useKafkajsEncoding(env.KAFKAJS_ENCODING)
  return new kafkajs.Kafka({
    clientId,
    brokers: inAnyOrder(env.KAFKA_BROKERS.split(',')),
    ssl: env.KAFKA_TLS,
    ...(sasl ? { sasl } : {}),
    connectionTimeout: 3_000,
    requestTimeout: 2 * sessionTimeoutMs,
    retry: { initialRetryTime: 100, multiplier: 1.5, maxRetryTime: 1_000, retries: 8 },
    logLevel: 2 satisfies logLevel.WARN,
    logCreator: () => forwardTo(log),
    ...overrides,
  })
}

/**
 * Every client of kafkajs begins at the first broker of its list, and stays there if that one accepts connections and closes them at once (a
 * load balancer before a dead broker). Asked each time, we name them in another order.
 */
const inAnyOrder = (brokers: string[]) => () =>
  brokers
    .map((broker) => ({ broker, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ broker }) => broker)

/** Answers on the way to a transaction that the stage waits out, every few milliseconds (`transaction.ts`): no news. */
const waitedOut = /^Response (InitProducerId|AddOffsetsToTxn|AddPartitionsToTxn|TxnOffsetCommit)\(/
const isWaitedOut = (message: string, error: unknown) =>
  waitedOut.test(message) && /another concurrent operation on the same transaction/.test(String(error))

/** kafkajs logs a plain rebalance as an error; its lines become warnings with its own words, and nothing else of it. */
const forwardTo =
  (log: Log) => (entry: { namespace: string; log: { message: string; error?: unknown; groupId?: unknown; topic?: unknown } }) => {
    const { message, error, groupId, topic } = entry.log
    const write = isWaitedOut(message, error) ? log.debug : log.warn
    write('kafka-client', {
      kafka: entry.namespace,
      reason: message,
      error: typeof error === 'string' ? error : undefined,
      group: groupId,
      topic,
    })
  }

/** A message that says its own partition; anything else is a mistake of ours. */
export const explicitPartitioner = () => (args: { message: { partition?: number } }) => {
  if (args.message.partition === undefined) throw new Error('A message without a partition')
  return args.message.partition
}

type ErrorLink = { name?: string; type?: string; topic?: string; partition?: number; cause?: unknown }

/** An error of kafkajs and what caused it, from the outside in. */
function* causesOf(error: unknown): Generator<ErrorLink> {
  for (let at = error as ErrorLink | undefined, depth = 0; at && depth < 8; at = at.cause as ErrorLink | undefined, depth++)
    yield at
}

/** The Kafka error name in a kafkajs error, if any: `INVALID_PRODUCER_EPOCH`, `MESSAGE_TOO_LARGE`, … */
export function kafkaErrorType(error: unknown): string | undefined {
  for (const { type } of causesOf(error)) if (type) return type
  return undefined
}

/** The partition whose fetch position the broker does not have (any more), if that is what ended a consumer. */
export function outOfRange(error: unknown): { topic: string; partition: number } | undefined {
  for (const { name, topic, partition } of causesOf(error)) {
    if (name === 'KafkaJSOffsetOutOfRange') return { topic: topic as string, partition: partition as number }
  }
  return undefined
}

/** Where the fetch of a batch began; kafkajs has it, and its types do not. */
export const fetchedFrom = (batch: EachBatchPayload['batch']): number =>
  Number((batch as unknown as { fetchedOffset: string }).fetchedOffset)
