import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { kafkajs } from '../../shared/kafka/kafkajs.ts'
import { useKafkajsEncoding } from '../../shared/kafka/kafkajs-encoding.ts'
import type { ProduceRequest } from '../../shared/kafka/record-batch.ts'

const require = createRequire(import.meta.url)
const produce = require('kafkajs/src/protocol/requests/produce/v3/request')
const frame = require('kafkajs/src/protocol/request')
const group = require('kafkajs/src/producer/groupMessagesPerPartition')
const Long = require('kafkajs/src/utils/long')

t.ok(kafkajs.Kafka, 'kafkajs is loaded with what was put into it')
t.teardown(() => useKafkajsEncoding(false))

/** The bytes on the wire, with kafkajs's own code or with ours. */
async function bytes(request: ProduceRequest, own: boolean): Promise<Buffer> {
  useKafkajsEncoding(own)
  const framed = await frame({ correlationId: 7, clientId: 'gateway-é', request: { ...produce(request), apiVersion: 7 } })
  return framed.buffer
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ minLength: 120, maxLength: 140 }))
const binary = fc.uint8Array({ maxLength: 20_000 }).map((array) => Buffer.from(array))
const message = (timestamp: fc.Arbitrary<string | undefined>) =>
  fc.record({
    key: fc.oneof(text, binary, fc.constant(null)),
    value: fc.oneof(text, binary, fc.constant(null)),
    timestamp,
    headers: fc.dictionary(text, fc.oneof(text, binary, fc.array(text, { maxLength: 3 })), { maxKeys: 9 }),
  })
const inMs = fc.integer({ min: 1_600_000_000_000, max: 9_999_999_999_999 }).map(String)
const messages = fc.oneof(
  fc.array(message(inMs), { minLength: 1, maxLength: 200 }),
  fc.array(message(fc.constant(undefined)), { minLength: 1, maxLength: 5 }),
)
const request: fc.Arbitrary<ProduceRequest> = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(),
  transactionalId: fc.oneof(fc.constant(undefined), fc.constant(null), fc.string({ minLength: 1 })),
  producerId: fc.oneof(fc.constant(-1), fc.bigInt(0n, 2n ** 62n)).map((id) => Long.fromValue(String(id))),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ unit: 'grapheme-ascii', minLength: 1 }),
      partitions: fc.array(fc.record({ partition: fc.nat(), firstSequence: fc.nat(), messages }), { minLength: 1, maxLength: 4 }),
    }),
    { maxLength: 3 },
  ),
})

t.test('the bytes are those of kafkajs', async (t) => {
  const { now } = Date
  Date.now = () => 1_700_000_000_000
  try {
    await t.resolves(
      fc.assert(
        fc.asyncProperty(request, async (one) => {
          const [ours, theirs] = [await bytes(one, false), await bytes(one, true)]
          if (!ours.equals(theirs)) throw new Error(`${ours.toString('hex')}\n${theirs.toString('hex')}`)
        }),
        { numRuns: 300 },
      ),
    )
  } finally {
    Date.now = now
  }
})

t.test('every other request is framed as before', async (t) => {
  const metadata = require('kafkajs/src/protocol/requests/metadata/v6/request')({ topics: ['a', 'b'] })
  const framed = async (own: boolean) => {
    useKafkajsEncoding(own)
    return (await frame({ correlationId: 1, clientId: 'c', request: metadata })).buffer.toString('hex')
  }
  t.equal(await framed(false), await framed(true))
})

t.test('a compressed request is left to kafkajs', async (t) => {
  const compressed = { acks: -1, timeout: 1, compression: 1, topicData: [] }
  useKafkajsEncoding(false)
  const { buffer } = await produce(compressed).encode()
  useKafkajsEncoding(true)
  t.equal(buffer.toString('hex'), (await produce(compressed).encode()).buffer.toString('hex'))
})

t.test('messages are grouped by partition, in order', async (t) => {
  const partitioner = ({ message }: { message: { partition: number } }) => message.partition
  const messages = [
    { partition: 1, value: 'a' },
    { partition: 0, value: 'b' },
    { partition: 1, value: 'c' },
  ]
  t.strictSame(group({ topic: 't', partitionMetadata: [{}, {}], messages, partitioner }), {
    0: [messages[1]],
    1: [messages[0], messages[2]],
  })
  t.strictSame(group({ topic: 't', partitionMetadata: [], messages, partitioner }), {})
})
