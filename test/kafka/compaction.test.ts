import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import type { Producer } from '../../shared/kafka/client.ts'
import { createRangeReader } from '../../shared/kafka/range-reader.ts'
import { readAll } from '../support/read-topic.ts'
import { type Teardown, testKafka, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

const hourMs = 60 * 60 * 1000
const small = Buffer.alloc(10)

/** Cleaned at once; a record an hour younger than the first of its segment begins the next one. */
const cleanedAtOnce = {
  'cleanup.policy': 'compact',
  'segment.ms': String(hourMs / 2),
  'segment.bytes': String(1024 * 1024),
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': '0',
  'message.timestamp.after.max.ms': '9223372036854775807',
}

async function createCompacted(t: Teardown) {
  const kafka = testKafka()
  const admin = kafka.admin()
  await admin.connect()
  const topic = `compacted-${randomBytes(4).toString('hex')}`
  const configEntries = Object.entries(cleanedAtOnce).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
  t.teardown(() => admin.deleteTopics({ topics: [topic] }).finally(() => admin.disconnect()))
  const open = async (transactionalId?: string) => {
    const producer = kafka.producer(
      transactionalId ? { transactionalId: `${topic}.${transactionalId}`, maxInFlightRequests: 1 } : {},
    )
    await producer.connect()
    t.teardown(() => producer.disconnect())
    return producer
  }
  const records = (keys: string[], at: number, value: Buffer) => ({
    topic,
    acks: -1,
    messages: keys.map((key) => ({ key, value, partition: 0, timestamp: String(at) })),
  })
  return {
    kafka,
    topic,
    open,
    high: async () => Number((await admin.fetchTopicOffsets(topic))[0]?.high),
    write: (producer: Producer, keys: string[], at: number, value = small) => producer.send(records(keys, at, value)),
    async transact(producer: Producer, keys: string[], at: number, how: 'commit' | 'abort') {
      const transaction = await producer.transaction()
      await transaction.send(records(keys, at, small))
      await transaction[how]()
    },
  }
}

/** The batches of each segment in the broker's files: how many records they have, and over how many offsets. */
function segmentsOf(topic: string): { records: number; span: number }[][] {
  const folder = join(projectRoot, '.local/test/data/kafka/node-1', `${topic}-0`)
  const files = readdirSync(folder).filter((file) => file.endsWith('.log'))
  return files.sort().map((file) => {
    const bytes = readFileSync(join(folder, file))
    const batches = []
    for (let at = 0; at + 61 <= bytes.length && bytes.readInt32BE(at + 8) > 0; at += 12 + bytes.readInt32BE(at + 8)) {
      batches.push({ records: bytes.readInt32BE(at + 57), span: bytes.readInt32BE(at + 23) + 1 })
    }
    return batches
  })
}

const keys = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}${n}`)

t.test('after a real compaction every reader comes to the end, and finds what kcat finds', { timeout: 120_000 }, async (t) => {
  const { kafka, topic, open, write, transact, high } = await createCompacted(t)
  const [plain, a, b] = [await open(), await open('a'), await open('b')]
  // The broker stamps markers with its own clock. So the marker of the first transaction begins the second segment, and the batch before it,
  // the last of the first segment, is what compaction empties. Values are as large as keeps the two segments apart.
  const long = Date.now() - 24 * hourMs
  await write(plain, keys('kept', 90), long, randomBytes(10_000))
  await transact(a, keys('k', 20), long, 'commit')
  await write(plain, keys('k', 10), Date.now(), randomBytes(20_000))
  await write(plain, keys('k', 20).slice(10), Date.now(), randomBytes(20_000))
  await transact(b, ['x', 'y', 'z'], Date.now(), 'commit')
  let at = Date.now()
  await waitFor(
    'a segment that ends with an emptied batch, and a batch that lost its last record',
    async () => {
      const [first = [], ...others] = segmentsOf(topic)
      const isEmptied = first.at(-1)?.records === 0
      if (isEmptied && others.flat().some(({ records, span }) => records > 0 && records < span)) return true
      if (others.length > 3) return false
      at += hourMs
      await write(plain, ['z', `tick${at}`], at)
      return false
    },
    { timeoutMs: 60_000 },
  )
  // A cleaner that has just cleaned looks again at once, and might take more away between the readers below.
  let seen = ''
  await waitFor('the cleaner to rest', async () => {
    const before = seen
    seen = JSON.stringify(segmentsOf(topic))
    await sleep(1_500)
    return seen === before
  })
  // The log itself ends with records that nobody may see, and a marker.
  await transact(b, keys('aborted', 3), at, 'abort')

  const kcat = [
    '-b',
    testStack().brokers,
    '-X',
    'isolation.level=read_committed',
    '-C',
    '-t',
    topic,
    '-o',
    'beginning',
    '-e',
    '-q',
  ]
  const { stdout } = await promisify(execFile)('kcat', [...kcat, '-f', '%o %k\n'])
  const expected = stdout.trim().split('\n')
  const shown = ({ offset, key }: { offset: number; key: Buffer | null }) => `${offset} ${key}`
  t.ok(expected.length > 110 && Number(expected.at(-1)?.split(' ')[0]) > expected.length + 20, 'compaction left holes')

  t.strictSame((await readAll(topic)).map(shown), expected, 'the reader')
  const read: string[] = []
  const to = await high()
  for (const from of [0, 95, 111]) {
    read.length = 0
    const onRecords = async (records: { offset: number; key: Buffer | null }[]) => void read.push(...records.map(shown))
    await createRangeReader({ kafka, topic, groupPrefix: `${topic}.` })({ partition: 0, from, to, onRecords })
    t.strictSame(
      read,
      expected.filter((line) => Number(line.split(' ')[0]) >= from),
      `the range reader, from offset ${from}`,
    )
  }
})
