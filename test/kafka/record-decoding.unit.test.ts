import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { type KafkaMessage, kafkajs } from '../../shared/kafka/kafkajs.ts'
import { useKafkajsEncoding } from '../../shared/kafka/kafkajs-encoding.ts'
import { toSourceRecord } from '../../shared/kafka/record.ts'

const require = createRequire(import.meta.url)
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0')
const Record = require('kafkajs/src/protocol/recordBatch/record/v0')
const Decoder = require('kafkajs/src/protocol/decoder')

t.ok(kafkajs.Kafka, 'kafkajs is loaded with what was put into it')
t.teardown(() => useKafkajsEncoding(false))

type Message = {
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: { [name: string]: Buffer | Buffer[] }
}

/** A record batch as brokers store it, written by kafkajs. */
async function batchOf(messages: Message[], firstOffset: number, attributes: number): Promise<Buffer> {
  const [first] = messages as [Message]
  const records = messages.map(({ timestamp, ...message }, offsetDelta) =>
    Record({ ...message, offsetDelta, timestampDelta: timestamp - first.timestamp }),
  )
  const [firstTimestamp, maxTimestamp] = [first.timestamp, Math.max(...messages.map(({ timestamp }) => timestamp))]
  const { buffer } = await RecordBatch({
    firstOffset,
    firstTimestamp,
    maxTimestamp,
    lastOffsetDelta: messages.length - 1,
    records,
  })
  buffer.writeInt16BE(attributes, 21)
  return buffer
}

async function decoded(batch: Buffer, own: boolean) {
  useKafkajsEncoding(!own)
  const { records, ...context } = await decodeBatch(new Decoder(batch))
  return { context, records: records as (KafkaMessage & { batchContext: unknown })[] }
}

const bytes = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
)
const text = fc
  .oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 200 }))
  .map((value) => Buffer.from(value))
const message: fc.Arbitrary<Message> = fc.record({
  timestamp: fc.integer({ min: 1_600_000_000_000, max: 9_999_999_999_999 }),
  key: bytes,
  value: bytes,
  headers: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 20 }).map((name) => `h-${name}`),
    fc.oneof(text, fc.array(text, { minLength: 2, maxLength: 3 })),
    { maxKeys: 9 },
  ),
})

t.test('records are those of kafkajs, but for header values, which are text already', async (t) => {
  const messages = fc.array(message, { minLength: 1, maxLength: 20 })
  const offset = fc.oneof(fc.nat(1_000), fc.integer({ min: 2 ** 31 - 5, max: 2 ** 40 }))
  await t.resolves(
    fc.assert(
      fc.asyncProperty(messages, offset, fc.constantFrom(0, 8, 16, 48), async (messages, firstOffset, attributes) => {
        const batch = await batchOf(messages, firstOffset, attributes)
        const [ours, theirs] = [await decoded(batch, true), await decoded(batch, false)]
        const comparable = ({ context, records }: typeof ours) =>
          JSON.stringify([
            context,
            records.map(({ headers: _, ...record }) => record),
            records.map((record) => toSourceRecord('t', 0, record)),
          ])
        if (ours.records.length !== messages.length || comparable(ours) !== comparable(theirs))
          throw new Error(`${comparable(ours)}\n${comparable(theirs)}`)
      }),
      { numRuns: 500 },
    ),
  )
})

t.test('any header is read as what it says: of several values the first, without a value none, whatever its name', async (t) => {
  const given = { timestamp: 1_700_000_000_000, key: null, value: Buffer.from('v') }
  const headers = { constructor: Buffer.from('a'), twice: [Buffer.from('1'), Buffer.from('2')], toString: Buffer.from('b') }
  const [record] = (await decoded(await batchOf([{ ...given, headers }], 7, 0), true)).records
  t.same(record?.headers, { constructor: 'a', twice: ['1', '2'], toString: 'b' })
  t.same(toSourceRecord('t', 3, record as KafkaMessage).headers, { constructor: 'a', twice: '1', toString: 'b' })
  const absent = { ...record, headers: { none: null } } as unknown as KafkaMessage
  t.same(toSourceRecord('t', 3, absent).headers, {})
})
