/**
 * Seven defects of kafkajs 2.2.4, mended from outside before it is loaded (it has no `exports` map, so its files can be reached).
 * All are checked in tests.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { replace } from './replace.ts'

const require = createRequire(import.meta.url)

/**
 * A client that has no topic yet asks for the metadata of all, and kafkajs throws it away if any partition of any topic has no leader: a stranger's
 * topic whose only replica is down keeps every new producer from opening. As in Java: such a partition has no leader (-1), the others have.
 */
export function acceptLeaderless<D extends { topicMetadata: TopicMetadata[] }>(parse: (data: D) => Promise<D>) {
  return (data: D): Promise<D> => {
    for (const { partitionMetadata } of data.topicMetadata)
      for (const partition of partitionMetadata)
        if (partition.partitionErrorCode === leaderNotAvailable) partition.partitionErrorCode = 0
    return parse(data)
  }
}
type TopicMetadata = { partitionMetadata: { partitionErrorCode: number }[] }
const leaderNotAvailable = 5
// The later versions take their `parse` from the first, so this comes before anything loads them.
const metadataAnswer = require('kafkajs/src/protocol/requests/metadata/v0/response')
metadataAnswer.parse = acceptLeaderless(metadataAnswer.parse)

type Message = {
  offset: string
  key: Buffer | null
  isControlRecord: boolean
  batchContext: { producerId: string; inTransaction: boolean }
}
type AbortedTransaction = { producerId: string; firstOffset: string }

/**
 * read_committed: kafkajs takes one aborted transaction per record, so a fetch that starts inside two of them leaks a record; and it takes any
 * record with a key of four zero bytes for an abort marker. As in Java's CompletedFetch: all that begin by this offset, and only control records.
 */
export function filterAbortedMessages({
  messages,
  abortedTransactions,
}: {
  messages: Message[]
  abortedTransactions?: AbortedTransaction[]
}): Message[] {
  if (!abortedTransactions?.length) return messages
  const upcoming = [...abortedTransactions].sort((a, b) => Number(BigInt(a.firstOffset) - BigInt(b.firstOffset)))
  const aborted = new Set<string>()
  return messages.filter((message) => {
    while (upcoming[0] && BigInt(upcoming[0].firstOffset) <= BigInt(message.offset))
      aborted.add((upcoming.shift() as AbortedTransaction).producerId)
    const { producerId, inTransaction } = message.batchContext
    // A control record's key is its version and type (0: abort, 1: commit); either way this producer's transaction ends here.
    if (message.isControlRecord) {
      if (message.key?.readInt16BE(2) === 0) aborted.delete(producerId)
      return true
    }
    return !(inTransaction && aborted.has(producerId))
  })
}

type RecordBatch = Message['batchContext'] & {
  firstOffset: string
  lastOffsetDelta: number
  records: { offset: string }[]
}

/**
 * Compaction leaves batches without records, or without their last ones, and keeps their range of offsets. kafkajs moves by records alone: at the
 * end of a segment it fetches such a batch again, for ever. Here every batch reaches its end: by a control record, which moves the position
 * and is shown to nobody.
 */
export function reachLastOffset<B extends RecordBatch>(batch: B): B {
  const { records, ...batchContext } = batch
  const offset = String(BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta))
  if (records.at(-1)?.offset === offset) return batch
  const end = { offset, key: null, value: null, headers: {}, isControlRecord: true, batchContext }
  return { ...batch, records: [...records, end] }
}

replace('kafkajs/src/consumer/filterAbortedMessages', () => filterAbortedMessages)
replace(
  'kafkajs/src/protocol/recordBatch/v0/decoder',
  (decode: (decoder: unknown) => Promise<RecordBatch>) => async (decoder: unknown) => reachLastOffset(await decode(decoder)),
)

/** Each idle connection re-arms a 1 ms timer for ever (3 % of a core for three connections). Without work there is nothing to check. */
const RequestQueue = require('kafkajs/src/network/requestQueue')
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[]; throttledUntil: number }) {
  if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return
  schedule.call(this)
}

/**
 * When the committed offset has left retention, kafkajs goes to a default offset *and commits that over the group's own*: what was lost is skipped
 * in silence, and the evidence with it. Here the consumer ends with the error instead, and the committed offset stays.
 */
const ConsumerGroup = require('kafkajs/src/consumer/consumerGroup')
ConsumerGroup.prototype.recoverFromOffsetOutOfRange = async (error: Error) => {
  throw error
}

/**
 * When no broker says who coordinates a group, as when the only one has just stopped, kafkajs calls that final, whatever the brokers answered: a
 * consumer ends for good. Here only a refusal is final, and said in the broker's words; anything else passes, as in Java's client.
 */
type Ask = (of: unknown) => Promise<unknown>
type KafkaCluster = { brokerPool: { withBroker: (ask: Ask) => Promise<unknown> } }
const Cluster = require('kafkajs/src/cluster')
const { findGroupCoordinatorMetadata } = Cluster.prototype
Cluster.prototype.findGroupCoordinatorMetadata = async function (this: KafkaCluster, request: unknown) {
  let refusal: Error | undefined
  const withBroker = (ask: Ask) =>
    this.brokerPool.withBroker((broker) =>
      ask(broker).catch((error) => {
        if (error.name === 'KafkaJSProtocolError' && !error.retriable) refusal = error
        throw error
      }),
    )
  const observed = Object.create(this, { brokerPool: { value: { withBroker } } })
  return findGroupCoordinatorMetadata.call(observed, request).catch((error: Error) => {
    if (error.name !== 'KafkaJSGroupCoordinatorNotFound') throw error
    throw refusal ?? Object.assign(error, { retriable: true })
  })
}

/**
 * After a request has timed out, kafkajs goes on with the same connection, for as long as the kernel takes to find out that it is dead (15 minutes).
 * As Java's client does: whoever did not answer in time is called anew. A process has many connections to one broker, each of which would find
 * that out by itself, one time-out after the other: those that have been silent since then are closed as well.
 */
type KafkaConnection = { broker: string; socket?: Socket; heardAt: number }
const Connection = require('kafkajs/src/network/connection')
const connections = new Map<Socket, KafkaConnection>()
const { send, processData } = Connection.prototype
Connection.prototype.processData = function (this: KafkaConnection, data: Buffer) {
  this.heardAt = performance.now()
  processData.call(this, data)
}
Connection.prototype.send = async function (this: KafkaConnection, ...request: unknown[]) {
  const { broker, socket } = this
  const sentAt = performance.now()
  if (socket && !connections.has(socket)) {
    this.heardAt = sentAt
    connections.set(socket, this)
    socket.once('close', () => connections.delete(socket))
  }
  try {
    return await send.apply(this, request)
  } catch (error) {
    if ((error as Error).name === 'KafkaJSRequestTimeoutError') {
      for (const [other, connection] of connections)
        if (other === socket || (connection.broker === broker && connection.heardAt <= sentAt)) other.destroy(error as Error)
    }
    throw error
  }
}
