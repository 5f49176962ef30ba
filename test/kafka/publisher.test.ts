import t from 'tap'
import { createKafka } from '../../shared/kafka/client.ts'
import { createPublisher, PublishError } from '../../shared/kafka/publisher.ts'
import { kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { readAll } from '../support/read-topic.ts'
import { createTopicSet, type Teardown, testKafka } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

const log = createLog('test', 'silent')
const soon = () => Date.now() + 20_000
const recordFor = (topic: string, n: number, size = 100) => ({
  topic,
  key: `key-${n}`,
  value: Buffer.alloc(size, n % 251),
  headers: { n: String(n) },
})

function publisherOf(
  t: Teardown,
  topics: string[],
  options: { kafka?: ReturnType<typeof testKafka>; maxQueuedBytes?: number } = {},
) {
  const publisher = createPublisher({ kafka: testKafka('publisher'), topics, log, ...options })
  t.teardown(() => publisher.stop())
  return publisher
}

t.test('what is acknowledged is in the topic, at the position that was said, with key, value and headers', async (t) => {
  const { topics } = await createTopicSet(t)
  const topic = topics.raw.alipayplus
  const publisher = publisherOf(t, [topic])
  const published = await Promise.all(Array.from({ length: 3_000 }, (_, n) => publisher.publish(recordFor(topic, n), soon())))
  const found = new Map((await readAll(topic)).map((record) => [`${record.partition}/${record.offset}`, record]))
  t.equal(found.size, 3_000, 'once each')
  const wrong = published.filter(({ partition, offset }, n) => {
    const record = found.get(`${partition}/${offset}`)
    return (
      record?.headers.n !== String(n) || record.key?.toString() !== `key-${n}` || !record.value?.equals(recordFor(topic, n).value)
    )
  })
  t.strictSame(wrong, [])
})

t.test('one key stays on one partition, in the order of publishing', async (t) => {
  const { topics } = await createTopicSet(t)
  const topic = topics.raw.bluepay
  const publisher = publisherOf(t, [topic])
  await Promise.all(Array.from({ length: 500 }, (_, n) => publisher.publish({ ...recordFor(topic, n), key: 'same' }, soon())))
  const records = await readAll(topic)
  t.equal(new Set(records.map(({ partition }) => partition)).size, 1)
  t.strictSame(
    records.map(({ headers }) => Number(headers.n)),
    Array.from({ length: 500 }, (_, n) => n),
  )
})

t.test('a record that the broker never takes is refused, and its neighbours are stored', async (t) => {
  const { topics } = await createTopicSet(t, { partitions: 1 })
  const topic = topics.raw.alipayplus
  const publisher = publisherOf(t, [topic])
  const sizes = Array.from({ length: 20 }, (_, n) => (n === 11 ? 2_000_000 : 100))
  const results = await Promise.allSettled(sizes.map((size, n) => publisher.publish(recordFor(topic, n, size), soon())))
  const refused = results.flatMap((result, n) =>
    result.status === 'rejected' ? [[n, (result.reason as PublishError).reason]] : [],
  )
  t.strictSame(refused, [[11, 'refused']])
  const stored = new Set((await readAll(topic)).map(({ headers }) => headers.n))
  t.equal(stored.size, 19)
})

t.test('no Kafka: not ready, and every caller is told by its deadline', async (t) => {
  const nowhere = createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: '127.0.0.1:1' }), 'nowhere', log)
  const publisher = publisherOf(t, ['any'], { kafka: nowhere })
  const startedAt = Date.now()
  await t.rejects(publisher.publish(recordFor('any', 1), startedAt + 500), new PublishError('deadline'))
  t.ok(Date.now() - startedAt < 2_000, 'in bounded time')
  t.equal(publisher.ready(), false)
  t.equal(publisher.queuedBytes(), 0, 'nothing is kept of it')
})

t.test('past the byte limit callers are refused at once, and all that wait may be given up', async (t) => {
  const nowhere = createKafka(readEnv(kafkaEnv, { KAFKA_BROKERS: '127.0.0.1:1' }), 'nowhere', log)
  const publisher = publisherOf(t, ['any'], { kafka: nowhere, maxQueuedBytes: 10_000 })
  const first = publisher.publish(recordFor('any', 1, 8_000), soon())
  await t.rejects(publisher.publish(recordFor('any', 2, 8_000), soon()), new PublishError('queue-full'))
  publisher.giveUp()
  await t.rejects(first, new PublishError('aborted'))
  t.equal(publisher.queuedBytes(), 0)
})

t.test('stopping finishes what was taken, and takes no more', async (t) => {
  const { topics } = await createTopicSet(t)
  const topic = topics.raw.alipayplus
  const publisher = createPublisher({ kafka: testKafka('publisher'), topics: [topic], log })
  await waitFor('the publisher to be ready', () => publisher.ready())
  const taken = Array.from({ length: 200 }, (_, n) => publisher.publish(recordFor(topic, n), soon()))
  const stopped = publisher.stop()
  await t.rejects(publisher.publish(recordFor(topic, 999), soon()), new PublishError('stopping'))
  t.equal((await Promise.all(taken)).length, 200)
  await stopped
})
