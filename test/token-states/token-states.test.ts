import t from 'tap'
import { makeTopics } from '../../deploy/local/topics.ts'
import { header } from '../../shared/contracts/headers.ts'
import { groupId } from '../../shared/contracts/topics.ts'
import type { TokenEvent, TokenState } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { readAll } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, type Teardown, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { canceled, refOf, tokenEvent } from './token-events.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Ahead of the broker's clock, which stamps the markers: so segments end where the test says. */
const begin = Date.now() + dayMs

async function open(t: Teardown) {
  const set = await createTopicSet(t, { partitions: 2 })
  const { topics, kafka, prefix } = set
  const [admin, producer] = [kafka.admin(), kafka.producer()]
  await Promise.all([admin.connect(), producer.connect()])
  t.teardown(() => Promise.all([admin.disconnect(), producer.disconnect()]).then(() => {}))
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: prefix }
  return {
    set,
    admin,
    async start(more: Record<string, string> = {}) {
      const service = await startService(t, 'token-states', { ...env, ...more })
      await service.untilReady()
      return service
    },
    /** Events on the public topic, a token always on the same partition, on this day. */
    async publish(day: number, ...events: TokenEvent[]): Promise<void> {
      const messages = events.map((event) => ({
        key: event.token?.ref ?? 'none',
        value: JSON.stringify(event),
        partition: Number.parseInt(event.token?.ref ?? '0', 16) % 2,
        timestamp: String(begin + day * dayMs),
        headers: { [header.origin]: `raw/0/${day}` },
      }))
      await producer.send({ topic: topics.events, acks: -1, messages })
    },
    async untilRead(): Promise<void> {
      await waitFor('all events to be read', async () => {
        const ends = new Map((await admin.fetchTopicOffsets(topics.events)).map(({ partition, high }) => [partition, high]))
        const [group] = await admin.fetchOffsets({ groupId: groupId('token-states', prefix), topics: [topics.events] })
        return group?.partitions.every(({ partition, offset }) => offset === ends.get(partition))
      })
    },
  }
}

const latest = (records: SourceRecord[]) => {
  const states = records.map(({ value }) => JSON.parse(String(value)) as TokenState)
  return new Map(states.map(({ tokenRef, status }) => [tokenRef, status]))
}
const bytes = (records: SourceRecord[]) =>
  records
    .map(({ partition, key, value, headers, timestamp }) => JSON.stringify([partition, `${key}`, `${value}`, headers, timestamp]))
    .sort()

t.test('a creation revives no ended token: within the window or beyond it, after kill -9, after a real compaction', async (t) => {
  const { set, admin, start, publish, untilRead } = await open(t)
  const { topics } = set
  // Cleaned at once; a record of another day begins another segment.
  const compaction = {
    'cleanup.policy': 'compact',
    'segment.ms': String(dayMs / 2),
    'min.cleanable.dirty.ratio': '0',
    'message.timestamp.before.max.ms': '9223372036854775807',
    'message.timestamp.after.max.ms': '9223372036854775807',
  }
  const configEntries = Object.entries(compaction).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topics.states, configEntries }] })
  const ended = Array.from({ length: 20 }, (_, n) => n)
  const alive = ended.map((n) => 100 + n)

  const first = await start()
  await publish(0, ...ended.map((n) => tokenEvent(n)), ...alive.map((n) => tokenEvent(n)))
  await publish(1, ...ended.map((n) => canceled(n)))
  await publish(2, ...ended.map((n) => tokenEvent(n, { late: true })))
  await untilRead()
  await first.kill()

  const second = await start()
  await publish(20, ...ended.map((n) => tokenEvent(n)), ...alive.map((n) => tokenEvent(n)))
  let day = 30
  const written = () => 40 + 20 + 20 + 2 * (day - 30)
  await waitFor(
    'the states to be compacted',
    async () => {
      await publish(++day, tokenEvent(1_000), tokenEvent(1_001))
      await untilRead()
      return (await readAll(topics.states)).length < written() - 40
    },
    { timeoutMs: 60_000 },
  )
  await second.kill()

  const third = await start()
  await publish(
    day + 400,
    ...ended.map((n) => tokenEvent(n)),
    ...alive.map((n) => canceled(n)),
    tokenEvent(1_000),
    tokenEvent(1_001),
  )
  await untilRead()
  const states = latest(await readAll(topics.states))
  for (const n of ended) t.equal(states.get(refOf(n)), 'canceled')
  for (const n of alive) t.equal(states.get(refOf(n)), 'canceled')
  t.equal(states.get(refOf(1_000)), 'active')
  t.equal(states.size, 42)
  const reads = third.lines().filter(({ event }) => event === 'states-read')
  t.match(reads, [{ count: 20 }], 'all was read before the first event, and held what had ended')
})

t.test('the same events give the same bytes; read again over what is there, they add nothing', async (t) => {
  const { set, admin, start, publish, untilRead } = await open(t)
  const { topics, kafka, prefix, partitions } = set
  const numbers = Array.from({ length: 200 }, (_, n) => n)
  const first = await start()
  await publish(0, ...numbers.map((n) => tokenEvent(n)))
  await publish(1, ...numbers.map((n) => (n % 3 === 0 ? canceled(n) : tokenEvent(n, { agreementId: 'again' }))))
  await publish(2, ...numbers.map((n) => tokenEvent(n)))
  await untilRead()
  await first.stop()
  const before = bytes(await readAll(topics.states))
  t.equal(before.length, 600 - 67, 'an ended token has no more states')

  const forgetOffsets = () => admin.deleteGroups([groupId('token-states', prefix)])
  await forgetOffsets()
  const again = await start({ FROM: 'earliest' })
  await untilRead()
  await publish(3, canceled(1))
  await untilRead()
  await again.stop()
  const after = bytes(await readAll(topics.states))
  t.equal(after.length, before.length + 1, 'only what is new is added')
  t.strictSame(
    before.filter((state) => !after.includes(state)),
    [],
  )

  await forgetOffsets()
  await admin.deleteTopics({ topics: [topics.states] })
  await waitFor('the topic to be gone', async () => !(await admin.listTopics()).includes(topics.states))
  await makeTopics(kafka, { prefix, partitions, own: true })
  await start({ FROM: 'earliest' })
  await untilRead()
  t.strictSame(bytes(await readAll(topics.states)), after, 'made anew from the events, byte for byte')
})
