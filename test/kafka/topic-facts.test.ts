import t from 'tap'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { createTopicSet } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

t.test(
  'the end of a log includes what an open transaction has written; committed offsets do not include its offsets',
  async (t) => {
    const { kafka, topics, prefix } = await createTopicSet(t)
    const topic = topics.events
    const facts = await openTopicFacts(kafka)
    t.teardown(facts.close)
    const producer = kafka.producer({ transactionalId: `${prefix}open`, maxInFlightRequests: 1 })
    await producer.connect()
    t.teardown(() => producer.disconnect())
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ partition: 1, key: 'k', value: 'v' }] })
    await transaction.sendOffsets({
      consumerGroupId: `${prefix}group`,
      topics: [{ topic, partitions: [{ partition: 1, offset: '7' }] }],
    })

    t.strictSame(await facts.bounds(topic, 1), { low: 0, high: 1 })
    t.equal((await facts.allCommitted(`${prefix}group`, topic)).get(1), -1)
    await transaction.commit()
    // The commit is answered before its markers are written.
    await waitFor('its offsets', async () => (await facts.allCommitted(`${prefix}group`, topic)).get(1) === 7)
    await waitFor('the commit marker', async () => (await facts.bounds(topic, 1)).high === 2)
    const atTheEnd = await facts.allOffsetsAt(topic, Date.now() + 60_000)
    t.strictSame(
      [0, 1, 2, 3].map((partition) => atTheEnd.get(partition)),
      [0, 2, 0, 0],
    )
    t.strictSame(await facts.missing([topic, `${prefix}nowhere`]), [`${prefix}nowhere`])
  },
)

t.test('where to begin for a time is never beyond a record of that time, even where the broker knows none', async (t) => {
  const { kafka, topics, prefix } = await createTopicSet(t, { partitions: 1 })
  const topic = topics.normalized
  const facts = await openTopicFacts(kafka)
  t.teardown(facts.close)
  const producer = kafka.producer({ transactionalId: `${prefix}written`, maxInFlightRequests: 1 })
  await producer.connect()
  t.teardown(() => producer.disconnect())
  const begin = Date.now() - 24 * 60 * 60 * 1000
  for (const n of [0, 1, 2, 3]) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ partition: 0, key: 'k', value: 'v', timestamp: String(begin + n) }] })
    await transaction.commit()
  }
  await waitFor('the last commit marker', async () => (await facts.bounds(topic, 0)).high === 8)
  t.equal(await facts.startAt(topic, 0, begin), 0)
  const admin = kafka.admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  t.strictSame(await facts.bounds(topic, 0), { low: 4, high: 8 })
  t.equal(await facts.startAt(topic, 0, begin), 4, 'also if the broker says none: it mostly does')
  t.equal(await facts.startAt(topic, 0, Date.now() + 60_000), 4, 'and where there is none')
})
