import { createHash } from 'node:crypto'
import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import { formatPosition } from '../../shared/contracts/topics.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import type { Kafka } from '../../shared/kafka/client.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { loadKeyRing } from '../../shared/security/keys.ts'
import { openCredentials } from '../../shared/security/open-credentials.ts'
import { startPipeline } from '../pipeline/pipeline.ts'
import { accountsOf, developmentKeys, simulate } from '../pipeline/simulation.ts'
import { readAll } from '../support/read-topic.ts'
import { testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { kcatLines, type Line, prepareExamples } from './kit.ts'

type Message = { partition: number; key: string | Buffer | null; value: string | Buffer | null; headers?: Record<string, string> }

/** What a deduplicator that dies leaves in the topic: well-formed events that never happened. */
async function abortOnEach(kafka: Kafka, topic: string, partitions: number, name: string): Promise<void> {
  const producer = kafka.producer({ transactionalId: `${topic}.${name}`, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  const event = { eventId: name, type: 'token.created', late: false, token: { ref: name } }
  const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, key: name, value: JSON.stringify(event) }))
  await transaction.send({ topic, messages })
  await transaction.abort()
  await producer.disconnect()
}

async function append(kafka: Kafka, topic: string, messages: Message[]): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages })
  await producer.disconnect()
}

/** The list that every subscriber must end with, in the order of each partition: the first record of each id. */
function listOf(records: SourceRecord[], credentialsFile: string): Line[] {
  const keys = loadKeyRing(credentialsFile, 'secret')
  const seen = new Set<string>()
  const lines = records.flatMap((record) => {
    const event = JSON.parse(String(record.value)) as TokenEvent
    if (seen.has(event.eventId)) return []
    seen.add(event.eventId)
    const credentials = event.sealed ? openCredentials(keys, event, event.sealed) : undefined
    const hash = credentials?.accessToken && createHash('sha256').update(credentials.accessToken).digest('hex').slice(0, 16)
    const opened = credentials ? [...Object.keys(credentials).sort(), hash ?? '-'].join(' ') : '-'
    const position = formatPosition({ ...record, offset: String(record.offset) })
    return [[position, event.eventId, event.type, String(event.late), event.token?.ref ?? '-', opened]]
  })
  return byPartition(lines)
}

/** Stable: within a partition, the order stays that of reading. */
const byPartition = (lines: Line[]) => lines.toSorted((a, b) => partitionOf(a) - partitionOf(b))
const partitionOf = ([position = '']: Line) => Number(position.split('/')[1])
const public5 = (lines: Line[]) => lines.map((line) => line.slice(0, 5))

t.test('kafkajs, Java, Python and kcat end with the same list of events', async (t) => {
  const { keys, env } = await developmentKeys()
  const building = prepareExamples(t)
  const pipeline = await startPipeline(t, env)
  const { kafka, topics, partitions } = pipeline.set
  const topic = topics.events
  await abortOnEach(kafka, topic, partitions, 'aborted-before')
  const examples = await building
  const groupOf = (name: string) => `${topic}.${name}`
  const common = { KAFKA_BROKERS: testStack().brokers, TOPIC: topic }
  const credentials = { CREDENTIALS_FILE: env.CREDENTIAL_KEYS_FILE as string }
  const startAll = () =>
    Promise.all(examples.map(({ name, start }) => start(t, { ...common, ...credentials, GROUP_ID: groupOf(name) })))
  const admin = kafka.admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const committedBy = async (name: string) => {
    const [committed] = await admin.fetchOffsets({ groupId: groupOf(name), topics: [topic] })
    return committed?.partitions.map(({ partition, offset }) => `${partition}:${offset}`).sort()
  }

  const simulation = simulate(pipeline.gatewayUrl, keys, { seed: 21, count: 500, rate: 100 })
  const first = await startAll()
  await waitFor('each to be in the middle', () => first.every((running) => running.lines().length > 100))
  const exits = await Promise.all(first.map((running) => running.stop()))
  t.same(
    exits.map(({ code }) => code),
    [0, 143, 0],
    'each stops when asked to (143 is how a JVM says it)',
  )
  const second = await startAll()
  await simulation
  await accountsOf(pipeline)

  await abortOnEach(kafka, topic, partitions, 'aborted-after')
  const events = await readAll(topic)
  const replayed = Array.from({ length: partitions }, (_, partition) => events.find((record) => record.partition === partition)!)
  const replayedIds = replayed.map(({ headers }) => headers[header.id])
  const again = replayed.map(({ partition, key, value, headers }) => {
    return { partition, key, value, headers: { ...headers, [header.replayId]: 'replay-1' } }
  })
  await append(kafka, topic, again)
  const ends = (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => `${partition}:${high}`).sort()
  for (const { name } of examples) {
    await waitFor(`${name} to have committed everything`, async () => String(await committedBy(name)) === String(ends))
  }
  const expected = listOf(events, credentials.CREDENTIALS_FILE)
  t.ok(
    expected.length > 300 && expected.filter(([, , , , , opened]) => opened !== '-').length > 200,
    'there was something to read',
  )
  t.ok(
    expected.some(([, , , late]) => late === 'true'),
    'and something late',
  )
  for (const [index, { name }] of examples.entries()) {
    const [before, after] = [first[index]!.lines(), second[index]!.lines()]
    // The replayed copies come after a restart, when only a database would still know the ids.
    const repeated = new Set(before.map(([, id]) => id))
    const lines = [...before, ...after.filter(([, id]) => !repeated.has(id))]
    t.strictSame(byPartition(lines), expected, `${name}: none lost, none twice, none that was aborted`)
    const copies = after.filter(([, id]) => repeated.has(id))
    t.ok(
      copies.every(([, id]) => replayedIds.includes(id)),
      `${name}: what was committed before the stop did not come again, but for the replay`,
    )
  }
  t.strictSame(byPartition(await kcatLines(common)), public5(expected), 'kcat: the same')

  // A commit marker has the time of the commit: where one is the first at that time, records from just before follow it.
  const times = events.map(({ timestamp }) => timestamp)
  // About the middle, and later than the first record of a partition, which is left out then.
  const from = Math.max(times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!, times[0]! + 1)
  const since = public5(
    listOf(
      events.filter(({ timestamp }) => timestamp >= from),
      credentials.CREDENTIALS_FILE,
    ),
  )
  const fromTime = await kcatLines(common, '-o', `s@${from}`)
  const positions = new Set(fromTime.map(([position]) => position))
  t.same(
    since.filter(([position = '']) => !positions.has(position)),
    [],
    'kcat: from a time, all since then',
  )
  t.ok(fromTime.length < expected.length, 'and not everything')

  const [one, other] = events.filter(({ value }) => (JSON.parse(String(value)) as TokenEvent).sealed)
  const swapped = { ...(JSON.parse(String(one!.value)) as TokenEvent), eventId: 'f'.repeat(32) }
  swapped.sealed = (JSON.parse(String(other!.value)) as TokenEvent).sealed as string
  await append(kafka, topic, [{ partition: 0, key: one!.key, value: JSON.stringify(swapped), headers: one!.headers }])
  for (const [index, { name }] of examples.entries()) {
    const { code } = await waitFor(`${name} to end`, second[index]!.exit)
    t.equal(code, 1, `${name} ends at an event with another event's seal`)
    t.match(second[index]!.output(), /belongs to another event/, `${name} says so`)
    t.same(await committedBy(name), ends, `${name} leaves it uncommitted`)
  }

  const beginning = Array.from({ length: partitions }, (_, partition) => ({ partition, offset: '0' }))
  for (const { name } of examples) await admin.setOffsets({ groupId: groupOf(name), topic, partitions: beginning })
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  const third = await startAll()
  for (const [index, { name }] of examples.entries()) {
    const { code } = await waitFor(`${name} to end again`, third[index]!.exit)
    t.equal(code, 1, `${name} ends when its next offset has left retention`)
    t.match(third[index]!.output(), new RegExp(`${topic}.0\\b.*retention|out of range.*${topic}-0`), `${name} says where`)
    t.ok((await committedBy(name))?.includes('0:0'), `${name} leaves its committed offset`)
  }
})
