import { Registry } from 'prom-client'
import t from 'tap'
import type { Kafka } from '../../shared/kafka/client.ts'
import { createRangeReader } from '../../shared/kafka/range-reader.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { drop, emit, type SourceRecord } from '../../shared/stage/outcome.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import type { Step } from '../../shared/stage/stage.ts'
import type { From } from '../../shared/stage/start-offsets.ts'
import { openTransactions } from '../../shared/stage/transaction.ts'
import { readAll } from '../support/read-topic.ts'
import { createTopicSet, type Teardown, type TopicSet, testKafka } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

const log = createLog('test', 'silent')

/** The copy stage: what it reads from `normalized` it writes to `events`, with the source position as origin. */
const copyStep = (set: TopicSet): Step => ({
  decide: async ({ records }) => records.map((record) => emit([copyOf(set, record)])),
})
const copyOf = (set: TopicSet, { partition, offset, key, value }: SourceRecord) => ({
  topic: set.topics.events,
  key: String(key),
  value: value as Buffer,
  headers: { origin: `${partition}/${offset}` },
})

async function startCopy(t: Teardown, set: TopicSet, options: { step?: Step; slots?: number; from?: From } = {}) {
  const failures: Error[] = []
  const stage = {
    name: 'deduplicator' as const,
    sources: [set.topics.normalized],
    outputs: [set.topics.events],
    deadLetters: set.topics.deadLetters.deduplicator,
    step: options.step ?? copyStep(set),
  }
  const running = await runStage({
    stage,
    kafka: testKafka('copy'),
    group: groupOf(set),
    slots: options.slots ?? 2,
    from: options.from ?? '',
    log,
    metrics: new Registry(),
    fail: (error) => failures.push(error),
  })
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= running.stop())
  t.teardown(stop)
  return { running, stop, failures }
}
const groupOf = (set: TopicSet) => `${set.prefix}copy`

async function produce(kafka: Kafka, set: TopicSet, count: number, from = 0): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: count }, (_, n) => ({
    key: `k${from + n}`,
    value: `v${from + n}`,
    partition: (from + n) % set.partitions,
  }))
  await producer.send({ topic: set.topics.normalized, acks: -1, messages })
  await producer.disconnect()
}

const origins = async (set: TopicSet) => (await readAll(set.topics.events)).map(({ headers }) => headers.origin as string)
const untilCopied = (set: TopicSet, count: number) => waitFor(`${count} copies`, async () => (await origins(set)).length >= count)

t.test('every record of the source comes out once, in order per partition, over stops and starts', async (t) => {
  const set = await createTopicSet(t)
  await produce(set.kafka, set, 3_000)
  const first = await startCopy(t, set)
  await waitFor('some copies', async () => (await origins(set)).length > 0)
  await first.stop()
  await produce(set.kafka, set, 1_000, 3_000)
  await startCopy(t, set)
  await untilCopied(set, 4_000)
  const copied = await origins(set)
  t.equal(copied.length, 4_000)
  t.equal(new Set(copied).size, 4_000)
  for (let partition = 0; partition < set.partitions; partition++) {
    const offsets = copied.filter((origin) => origin.startsWith(`${partition}/`)).map((origin) => Number(origin.split('/')[1]))
    t.strictSame(
      offsets,
      Array.from({ length: 1_000 }, (_, n) => n),
      `partition ${partition} in order`,
    )
  }
})

t.test('a step that throws keeps the batch; nothing is skipped, nothing of the failed tries is seen', async (t) => {
  const set = await createTopicSet(t)
  let tries = 0
  const step: Step = {
    async decide(batch) {
      if (++tries <= 3) throw new Error('the world is wrong')
      return copyStep(set).decide(batch)
    },
  }
  await produce(set.kafka, set, 40)
  await startCopy(t, set, { step })
  await untilCopied(set, 40)
  t.strictSame(
    (await origins(set)).sort(),
    [0, 1, 2, 3].flatMap((partition) => Array.from({ length: 10 }, (_, n) => `${partition}/${n}`)).sort(),
  )
  t.ok(tries > 3)
})

t.test('stopping ends although the step cannot succeed', async (t) => {
  const set = await createTopicSet(t)
  await produce(set.kafka, set, 4)
  let tries = 0
  const step: Step = {
    async decide() {
      tries++
      throw new Error('Redis is away')
    },
  }
  const { stop } = await startCopy(t, set, { step })
  await waitFor('the step to be tried', () => tries > 1)
  await stop()
  t.strictSame(await origins(set), [])
})

t.test('a second owner fences the first: what the first has under way is never seen', async (t) => {
  const set = await createTopicSet(t)
  const id = `${groupOf(set)}.slots-1.0`
  const record = (value: string) => ({ topic: set.topics.events, partition: 0, key: 'k', value, headers: {}, timestamp: '1' })
  const offset = { topic: set.topics.normalized, partition: 0, offset: 1 }
  const first = await openTransactions(set.kafka, groupOf(set), id)
  await first.commit([record('one')], [offset])
  const second = await openTransactions(testKafka('second'), groupOf(set), id)
  await t.rejects(first.commit([record('zombie')], [offset]))
  await second.commit([record('two')], [{ ...offset, offset: 2 }])
  t.strictSame(
    (await readAll(set.topics.events)).map(({ value }) => String(value)),
    ['one', 'two'],
  )

  const other = await openTransactions(testKafka('other-count'), groupOf(set), `${groupOf(set)}.slots-2.0`, [id])
  await t.rejects(second.commit([record('zombie of the old slot count')], [offset]), 'also across a change of the slot count')
  await first.close()
  await second.close()
  await other.close()
})

t.test('two members share the slots; one that disagrees about their number is refused', async (t) => {
  const set = await createTopicSet(t)
  const a = await startCopy(t, set)
  const b = await startCopy(t, set)
  await produce(set.kafka, set, 400)
  await untilCopied(set, 400)
  t.equal(new Set(await origins(set)).size, 400)
  const odd = await startCopy(t, set, { slots: 4 })
  await waitFor('the odd one to fail', () => odd.failures.length > 0)
  t.match(odd.failures[0]?.message, /protocol/i)
  t.strictSame([...a.failures, ...b.failures], [])
})

t.test('committed offsets that are gone stop the stage, until an operator says where to begin', async (t) => {
  const set = await createTopicSet(t)
  await produce(set.kafka, set, 40)
  const first = await startCopy(t, set)
  await untilCopied(set, 40)
  await first.stop()
  const admin = set.kafka.admin()
  await admin.connect()
  await admin.deleteGroups([groupOf(set)])
  await admin.disconnect()
  await t.rejects(startCopy(t, set), /no committed offset .* FROM=earliest .* or FROM=latest/)
  await startCopy(t, set, { from: 'earliest' })
  await untilCopied(set, 80)
  t.equal((await origins(set)).length, 80, 'everything again, because that was asked for')
})

t.test('records that left retention before they were processed stop the stage, with the range', async (t) => {
  const set = await createTopicSet(t, { partitions: 2 })
  await produce(set.kafka, set, 20)
  const first = await startCopy(t, set)
  await untilCopied(set, 20)
  await first.stop()
  await produce(set.kafka, set, 20, 20)
  const admin = set.kafka.admin()
  await admin.connect()
  // kafkajs deletes records only of topics whose metadata it has.
  await admin.fetchTopicOffsets(set.topics.normalized)
  await admin.deleteTopicRecords({ topic: set.topics.normalized, partitions: [{ partition: 1, offset: '15' }] })
  await admin.disconnect()
  const second = await startCopy(t, set)
  await waitFor('the stage to stop', () => second.failures.length > 0)
  t.match(second.failures[0]?.message, /normalized\.v1\/1: offsets 10 to 14 left retention/)
  await second.stop()
  const third = await startCopy(t, set)
  await waitFor('the stage to stop again', () => third.failures.length > 0)
  t.match(third.failures[0]?.message, /offsets 10 to 14 left retention/, 'the committed offset was not touched')
  const after = (await origins(set)).filter((origin) => origin.startsWith('1/'))
  t.equal(after.length, 10, 'nothing beyond the gap was processed')
})

t.test('a slot count that does not divide the partitions is refused at the start', async (t) => {
  const set = await createTopicSet(t)
  await t.rejects(startCopy(t, set, { slots: 3 }), /SLOTS=3 does not divide the 4 partitions/)
})

t.test('dropped records leave no trace but the moved offset', async (t) => {
  const set = await createTopicSet(t)
  const step: Step = { decide: async ({ records }) => records.map(() => drop('no-subscription')) }
  const { stop } = await startCopy(t, set, { step })
  await produce(set.kafka, set, 12)
  const admin = set.kafka.admin()
  await admin.connect()
  await waitFor('the offsets to be committed', async () => {
    const [topic] = await admin.fetchOffsets({ groupId: groupOf(set), topics: [set.topics.normalized] })
    return topic?.partitions.every(({ offset }) => offset === '3')
  })
  await admin.disconnect()
  await stop()
  t.strictSame(await origins(set), [])
})

t.test('a range is read again exactly, committed records only, up to its end', async (t) => {
  const set = await createTopicSet(t)
  await produce(set.kafka, set, 40)
  await startCopy(t, set)
  await untilCopied(set, 40)
  // The public topic has control records between the data.
  const readRange = createRangeReader({ kafka: set.kafka, topic: set.topics.events, groupPrefix: set.prefix })
  const all = (await readAll(set.topics.events)).filter(({ partition }) => partition < 2)
  const read: SourceRecord[] = []
  const ends: number[] = []
  const to = Math.max(...all.map(({ offset }) => offset)) + 1
  await Promise.all(
    [0, 1].map((partition) =>
      readRange({
        partition,
        from: 2,
        to,
        async onRecords(records, end) {
          read.push(...records)
          ends.push(end)
        },
      }),
    ),
  )
  const positions = (records: SourceRecord[]) => records.map(({ partition, offset }) => `${partition}/${offset}`).sort()
  t.strictSame(positions(read), positions(all.filter(({ offset }) => offset >= 2)))
  t.equal(Math.max(...ends), to)
  await t.rejects(
    readRange({
      partition: 0,
      from: 0,
      to: 5,
      onRecords: async () => {
        throw new Error('mine')
      },
    }),
    /mine/,
  )
})
