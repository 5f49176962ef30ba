/**
 * One owner's transactions, in the exact order that was proved on real brokers (`kafkajs.md` §E.2). Whoever holds the newest producer of a
 * transactional id owns it: opening fences every older owner, so nothing they still have under way can be committed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { explicitPartitioner, type Kafka, kafkaErrorType, type Producer } from '../kafka/client.ts'
import { failpoint } from '../runtime/failpoint.ts'
import type { PlacedRecord } from './process-batch.ts'

export type SourceOffset = { topic: string; partition: number; offset: number }

export type Transactions = {
  /** Outputs and source offsets, all or nothing. After a throw nothing is known: open anew, read the committed offsets, go on from there. */
  commit: (outputs: PlacedRecord[], offsets: SourceOffset[]) => Promise<void>
  close: () => Promise<void>
}

const fencedTypes = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE'])
/** Whether the broker says that a newer owner has opened, or that the coordinator has given the transaction up. */
export const isFenced = (error: unknown): boolean => fencedTypes.has(kafkaErrorType(error) ?? '')

/** An owner killed mid-transaction holds up read_committed readers at most this long, unless a new owner opens (and aborts it) first. */
const transactionTimeoutMs = 15_000
/** Transient answers to TxnOffsetCommit and AddOffsetsToTxn that kafkajs 2.2.4 does not retry (`kafkajs.md` A.3, item 7). */
const transientTypes = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'CONCURRENT_TRANSACTIONS',
])
const transientForMs = 8_000
/** Brokers refuse a partition's batch above 1 MiB by default; more goes into further sends of the same transaction. */
const maxPartitionBytes = 900_000

/** `alsoFence`: ids of the same partitions under other slot counts; fenced after our own, before anyone reads offsets. */
export async function openTransactions(
  kafka: Kafka,
  group: string,
  transactionalId: string,
  alsoFence: string[] = [],
): Promise<Transactions> {
  const producer = await fence(kafka, transactionalId)
  try {
    await Promise.all(alsoFence.map(async (id) => (await fence(kafka, id)).disconnect()))
  } catch (error) {
    await producer.disconnect()
    throw error
  }
  return {
    async commit(outputs, offsets) {
      const transaction = await producer.transaction()
      await failpoint('transaction.begun')
      // Offsets first: once they are through, the previous transaction is settled, so adding partitions cannot meet CONCURRENT_TRANSACTIONS
      // in the middle of a send over several brokers, where it could not be retried safely.
      const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, entries]) => ({
        topic,
        partitions: entries.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
      }))
      const sendingOffsets = whileTransient(() => transaction.sendOffsets({ consumerGroupId: group, topics }))
      await failpoint('transaction.offsets-sending')
      await sendingOffsets
      await failpoint('transaction.offsets-sent')
      for (const round of inRounds(outputs)) {
        const sending = transaction.sendBatch({ acks: -1, topicMessages: round })
        await failpoint('transaction.outputs-sending')
        const answers = await sending
        const answered = new Set(
          answers.filter(({ errorCode }) => errorCode === 0).map(({ topicName, partition }) => `${topicName}/${partition}`),
        )
        for (const { topic, messages } of round) {
          const unanswered = messages.find(({ partition }) => !answered.has(`${topic}/${partition}`))
          if (unanswered) throw new Error(`The broker did not answer for ${topic}/${unanswered.partition}`)
        }
      }
      await failpoint('transaction.outputs-sent')
      const ending = transaction.commit()
      await failpoint('transaction.ending')
      await ending
      await failpoint('transaction.ended')
    },
    close: () => producer.disconnect(),
  }
}

/**
 * A new producer and its InitProducerId (an empty transaction, aborted, sends nothing else). retries: 0, because a retried send over brokers can
 * lose or double data inside a transaction; always a new object, because one that has seen an error silently loses data (A.3, items 2 and 4).
 */
async function fence(kafka: Kafka, transactionalId: string): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    transactionTimeout: transactionTimeoutMs,
    maxInFlightRequests: 1,
    retry: { retries: 0 },
    createPartitioner: explicitPartitioner,
    allowAutoTopicCreation: false,
  })
  try {
    await producer.connect()
    const empty = await producer.transaction()
    await empty.abort()
    return producer
  } catch (error) {
    await producer.disconnect()
    throw error
  }
}

async function whileTransient(attempt: () => Promise<void>): Promise<void> {
  const until = Date.now() + transientForMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const type = kafkaErrorType(error)
      if (!type || !transientTypes.has(type) || Date.now() > until) throw error
      await sleep(2)
    }
  }
}

type Send = { topic: string; messages: PlacedRecord[] }[]

/** Nearly always one send. A partition with more than a batch may hold goes on in the next; order within a partition is kept. Pure. */
export function inRounds(outputs: PlacedRecord[]): Send[] {
  const rounds: Map<string, PlacedRecord[]>[] = []
  const places = new Map<string, { round: number; bytes: number }>()
  for (const record of outputs) {
    const partition = `${record.topic}/${record.partition}`
    const place = places.get(partition) ?? { round: 0, bytes: 0 }
    const bytes = sizeOf(record)
    if (place.bytes > 0 && place.bytes + bytes > maxPartitionBytes) {
      place.round++
      place.bytes = 0
    }
    place.bytes += bytes
    places.set(partition, place)
    rounds[place.round] ??= new Map()
    const round = rounds[place.round] as Map<string, PlacedRecord[]>
    const messages = round.get(record.topic)
    if (messages) messages.push(record)
    else round.set(record.topic, [record])
  }
  return rounds.map((round) => [...round].map(([topic, messages]) => ({ topic, messages })))
}

function sizeOf({ key, value, headers }: PlacedRecord): number {
  let bytes = 100 + (key?.length ?? 0) + (value === null ? 0 : Buffer.byteLength(value))
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name] as string) + 4
  return bytes
}
