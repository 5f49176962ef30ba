import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { createKafka } from '../../shared/kafka/client.ts'
import { filterAbortedMessages, reachLastOffset } from '../../shared/kafka/guards.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { waitFor } from '../support/wait-for.ts'

const record = (offset: number, producerId: string, inTransaction = true) => ({
  offset: String(offset),
  key: Buffer.from('k'),
  isControlRecord: false,
  batchContext: { producerId, inTransaction },
})
const marker = (offset: number, producerId: string, type: 0 | 1) => ({
  ...record(offset, producerId),
  isControlRecord: true,
  key: Buffer.from([0, 0, 0, type]),
})
const visible = (messages: ReturnType<typeof record>[], abortedTransactions: { producerId: string; firstOffset: string }[]) =>
  filterAbortedMessages({ messages, abortedTransactions })
    .filter((m) => !m.isControlRecord)
    .map((m) => Number(m.offset))

t.test('a fetch that starts inside two aborted transactions shows neither', (t) => {
  const messages = [record(10, 'a'), record(11, 'b'), marker(12, 'a', 0), marker(13, 'b', 0), record(14, 'a')]
  t.strictSame(
    visible(messages, [
      { producerId: 'a', firstOffset: '5' },
      { producerId: 'b', firstOffset: '7' },
    ]),
    [14],
  )
  t.end()
})

t.test("a user record with a key of four zero bytes ends nobody's aborted transaction", (t) => {
  const zero = { ...record(11, 'a'), key: Buffer.alloc(4) }
  t.strictSame(
    visible(
      [record(10, 'a'), zero, record(12, 'a'), marker(13, 'a', 0), record(14, 'a')],
      [{ producerId: 'a', firstOffset: '10' }],
    ),
    [14],
  )
  t.end()
})

t.test('records outside transactions of the same producer are shown', (t) => {
  t.strictSame(visible([record(10, 'a', false), record(11, 'a')], [{ producerId: 'a', firstOffset: '9' }]), [10])
  t.end()
})

t.test('when a request has timed out, every connection to that broker that has been silent since is closed', async (t) => {
  let closed = 0
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('close', () => closed++)
    socket.resume()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void server.close())
  const { port } = server.address() as AddressInfo
  const connect = (requestTimeout: number) =>
    createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: `127.0.0.1:${port}` }), 'test', createLog('test', 'silent'), {
      requestTimeout,
      retry: { retries: 0 },
    })
      .admin()
      .connect()
  const patient = t.rejects(connect(60_000), /timed out/, 'it need not wait for its own time-out')
  await waitFor('the patient one to wait', () => sockets.length === 1)
  await setTimeout(50)
  await t.rejects(connect(200), /timed out/)
  await patient
  await waitFor('every connection to be closed', () => closed === sockets.length)
})

t.test('a partition without a leader does not hide the others, in every version of the answer', async (t) => {
  const partition = (partitionId: number, partitionErrorCode: number, leader: number) => ({
    partitionId,
    partitionErrorCode,
    leader,
  })
  for (const version of [0, 1, 2, 3, 4, 5, 6]) {
    const { parse } = createRequire(import.meta.url)(`kafkajs/src/protocol/requests/metadata/v${version}/response`)
    const answer = (code: number) => ({
      topicMetadata: [{ topicErrorCode: 0, topic: 't', partitionMetadata: [partition(0, code, -1), partition(1, 0, 2)] }],
    })
    t.match(
      await parse(answer(5)),
      { topicMetadata: [{ partitionMetadata: [{ leader: -1 }, { leader: 2 }] }] },
      `version ${version}`,
    )
    await t.rejects(parse(answer(29)), 'another error is one still')
  }
})

t.test('a coordinator that nobody names is an error that passes, unless a broker refuses to name it', async (t) => {
  const require = createRequire(import.meta.url)
  const Cluster = require('kafkajs/src/cluster')
  const createRetry = require('kafkajs/src/retry')
  const { createErrorFromCode } = require('kafkajs/src/protocol/error')
  const find = (answer: () => Promise<unknown>) =>
    Cluster.prototype.findGroupCoordinatorMetadata.call(
      {
        logger: { debug: () => {} },
        retrier: createRetry({ retries: 1, initialRetryTime: 1, maxRetryTime: 1 }),
        brokerPool: {
          withBroker: (ask: (of: unknown) => Promise<unknown>) =>
            ask({ nodeId: 1, broker: { findGroupCoordinator: answer } }).catch(() => null),
        },
      },
      { groupId: 'g', coordinatorType: 0 },
    )
  const failing = (error: Error) => () => Promise.reject(error)
  const passing = { name: 'KafkaJSGroupCoordinatorNotFound', retriable: true }
  const [notAvailable, notAuthorized] = [15, 30]
  await t.rejects(find(failing(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))), passing, 'no connection')
  await t.rejects(find(failing(createErrorFromCode(notAvailable))), passing, 'no coordinator yet, however often asked')
  const refused = await find(failing(createErrorFromCode(notAuthorized))).catch((error: Error) => error)
  t.match(refused, { type: 'GROUP_AUTHORIZATION_FAILED', retriable: false })
  t.match(await find(async () => ({ coordinator: { host: 'h', nodeId: 3 } })), { coordinator: { nodeId: 3 } })
})

t.test('a batch reaches its last offset, whatever compaction left of it', (t) => {
  const batchContext = { producerId: 'a', inTransaction: true }
  const batchOf = (...records: { offset: string }[]) => ({ ...batchContext, firstOffset: '40', lastOffsetDelta: 2, records })
  const end = { offset: '42', key: null, isControlRecord: true, batchContext }
  t.match(reachLastOffset(batchOf()).records, [end])
  t.match(reachLastOffset(batchOf({ offset: '40' })).records, [{ offset: '40' }, end])
  const whole = batchOf({ offset: '40' }, { offset: '42' })
  t.equal(reachLastOffset(whole), whole)
  t.end()
})

t.test('kafkajs uses the mended filter, and idle connections arm no timer', (t) => {
  const require = createRequire(import.meta.url)
  t.equal(require('kafkajs/src/consumer/filterAbortedMessages'), filterAbortedMessages)
  const RequestQueue = require('kafkajs/src/network/requestQueue')
  const idle = { pending: [], throttledUntil: -1, throttleCheckTimeoutId: null }
  RequestQueue.prototype.scheduleCheckPendingRequests.call(idle)
  t.equal(idle.throttleCheckTimeoutId, null)
  t.end()
})
