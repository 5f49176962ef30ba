/** Dead letters on their way back, through the services: any number of redrives makes at most one event, and the accounts hold. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { mainOf, nodeBinary } from '../../deploy/local/run-operator.ts'
import { createClaims } from '../../services/deduplicator/claims.ts'
import { claimOrRebuild } from '../../services/deduplicator/rebuild.ts'
import { connectRedis } from '../../services/deduplicator/redis.ts'
import { header } from '../../shared/contracts/headers.ts'
import { groupId } from '../../shared/contracts/topics.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { originOf, positionOf } from '../../shared/kafka/record.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { deadLetter } from '../../shared/stage/outcome.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import type { Step } from '../../shared/stage/stage.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { type Fixture, fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'
import { readAll } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, type TopicSet, testKafka, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { temporaryFolder } from './pipeline.ts'

const folder = temporaryFolder()
const keys = loadTestKeys(folder)
const keyEnv = {
  RAW_PRIVATE_KEYS_FILE: join(folder, 'raw.private.json'),
  CREDENTIAL_KEYS_FILE: join(folder, 'credentials.json'),
  IDENTITY_KEY_FILE: join(folder, 'identity.json'),
}
const live = fixtures.filter(({ expected }) => 'event' in expected)
const dead = fixtures.filter(({ expected }) => 'deadLetter' in expected)
const eventIdsOf = (of: Fixture[]) => of.flatMap(({ expected }) => ('event' in expected ? [expected.event.eventId] : [])).sort()

const envOf = ({ prefix }: TopicSet): Record<string, string> => {
  const { brokers, redisUrl } = testStack()
  return { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, TOPIC_PREFIX: prefix, ...keyEnv }
}
/** One process of the operator. */
/** One process of the operator; rejects unless it ends with 0. */
async function operator<T>(set: TopicSet, ...args: string[]): Promise<T> {
  const env = { ...process.env, ...envOf(set) }
  const { stdout } = await promisify(execFile)(nodeBinary, [mainOf('operator'), ...args, '--json'], { env })
  return JSON.parse(stdout) as T
}
type Answer = { total: number; entries: { position: string; origin: string }[]; redriven: { to: string }[] }
const dlq = (set: TopicSet, ...args: string[]) => operator<Answer>(set, 'dlq', ...args)

/** What the gateway would write, one after the other over all partitions. */
async function acceptAll({ kafka, topics, partitions }: TopicSet, of: Fixture[]): Promise<void> {
  const records = of.map((fixture, n) => {
    const { key, value, headers } = rawRecord(fixture, keys)
    return { topic: topics.raw[fixture.provider], partition: n % partitions, key, value, headers }
  })
  await appendRecords(kafka, records)
}

/** An older version of a stage, which gives up on everything it meets; it has the same group, so the present version goes on behind it. */
async function buryWithOlderVersion(
  t: Test,
  { prefix, topics }: TopicSet,
  name: 'normalizer' | 'deduplicator',
  count: number,
  before: Step['decide'] = async () => [],
): Promise<void> {
  async function decide(batch: Parameters<Step['decide']>[0]) {
    await before(batch)
    return batch.records.map(() => deadLetter('not-supported-yet', 'an older version could not read it'))
  }
  const sources = name === 'normalizer' ? Object.values(topics.raw) : [topics.normalized]
  const older = await runStage({
    stage: { name, sources, outputs: [], deadLetters: topics.deadLetters[name], step: { decide } },
    kafka: testKafka('older'),
    group: groupId(name, prefix),
    slots: 2,
    from: '',
    log: createLog('test', 'silent'),
    metrics: new Registry(),
    fail: (error) => t.fail(error.message),
  })
  try {
    await waitFor(`${count} dead letters`, async () => (await readAll(topics.deadLetters[name])).length >= count)
  } finally {
    await older.stop()
  }
}

/**
 * P3 with redrives: what comes in is every raw record, and every record of the normalized topic that a redrive put there; each ends once.
 * Waits until there are as many ends as beginnings.
 */
function accountsOf({ topics }: TopicSet, atLeast: number) {
  return waitFor('everything to be accounted for', async () => {
    const { alipayplus, bluepay } = topics.raw
    const { normalizer, deduplicator } = topics.deadLetters
    const ended = [topics.events, topics.duplicates, normalizer, deduplicator]
    const records = await readAll(alipayplus, bluepay, topics.normalized, ...ended)
    const of = (...names: string[]) => records.filter(({ topic }) => names.includes(topic))
    const redriven = of(topics.normalized).filter(({ headers }) => headers[header.redriveOf])
    const [raw, events, duplicates] = [of(alipayplus, bluepay), of(topics.events), of(topics.duplicates)]
    const letters = of(normalizer, deduplicator)
    const ends = [...events, ...duplicates, ...letters].map(originOf)
    const beginnings = [...raw, ...redriven].map(positionOf)
    const enough = beginnings.length >= atLeast && ends.length >= beginnings.length
    return enough && { beginnings: beginnings.sort(), ends: ends.sort(), events, duplicates, letters, redriven }
  })
}
const idsOf = (records: { headers: Record<string, string> }[]) => records.map(({ headers }) => headers[header.id]).sort()

t.test('dead letters of the normalizer, redriven once, twice and from two processes at once: one event each', async (t) => {
  const set = await createTopicSet(t)
  const { raw, deadLetters } = set.topics
  await acceptAll(set, fixtures)
  await buryWithOlderVersion(t, set, 'normalizer', fixtures.length)
  await Promise.all(['normalizer', 'deduplicator'].map(async (name) => (await startService(t, name, envOf(set))).untilReady()))
  t.same(await readAll(set.topics.normalized), [], 'the older version let nothing through')

  const { entries } = await dlq(set, 'list', '--stage', 'normalizer', '--partition', '0')
  const { position } = entries.find(({ origin }) => origin === `${raw.alipayplus}/0/0`)!
  const once = await dlq(set, 'redrive', position, '--confirm', '1')
  t.equal(once.redriven.length, 1)
  const first = await accountsOf(set, fixtures.length + 1)
  t.equal(first.events.length, 1)
  t.equal(originOf(first.events[0]!), once.redriven[0]?.to, 'the event has the redriven record as its origin')

  await dlq(set, 'redrive', position, '--confirm', '1')
  const second = await accountsOf(set, fixtures.length + 2)
  t.same(idsOf(second.events), idsOf(first.events), 'redriven twice it is still one event')
  t.equal(second.duplicates.length, 1)

  const all = ['redrive', '--reason', 'not-supported-yet', '--confirm', String(fixtures.length)]
  await Promise.all([dlq(set, ...all), dlq(set, ...all)])
  const accounts = await accountsOf(set, 3 * fixtures.length + 2)
  t.same(accounts.ends, accounts.beginnings, 'each raw record, redriven or not, has ended exactly once')
  t.same(idsOf(accounts.events), eventIdsOf(live), 'every change has exactly one event')
  t.equal(accounts.duplicates.length, live.length + 2, 'the other redrives are duplicates')
  t.equal(accounts.letters.length, fixtures.length + 2 * dead.length, 'what is still poison is a dead letter again')
  const again = accounts.letters.filter(({ headers }) => headers[header.redriveOf])
  t.ok(again.every(({ headers }) => headers[header.redriveOf]?.startsWith(`${deadLetters.normalizer}/`)))

  await t.resolves(operator(set, 'account'), 'operator account finds nothing amiss')
  const audited = (await readAll(set.topics.audit)).map(
    ({ value }) => JSON.parse(String(value)) as { command: string; changes: object },
  )
  t.same(
    audited.map(({ command }) => command),
    Array(4).fill('dlq redrive'),
    'one audit record for each redrive',
  )
  t.same(audited[0]?.changes, { redriven: { [`${deadLetters.normalizer}/0`]: [Number(position.split('/')[2])] } })
})

t.test('dead letters of the deduplicator: their own position is their origin, their time moves nothing', async (t) => {
  const set = await createTopicSet(t)
  const { topics, prefix } = set
  const redis = connectRedis(testStack().redisUrl)
  t.teardown(() => redis.disconnect())
  await redis.connect()
  const claims = createClaims(redis, { prefix, windowMs: 72 * 3_600_000, slackMs: 24 * 3_600_000 })
  await (await startService(t, 'normalizer', envOf(set))).untilReady()
  await acceptAll(set, live)
  // An older version that found no event id claims nothing, but moves the cursor on.
  await buryWithOlderVersion(t, set, 'deduplicator', live.length, async ({ partition, begin, end, records }) => {
    const occurrences = records.map(({ offset, timestamp }) => ({ offset, timestamp }))
    const beginAnew = (lack: { epoch: Buffer }) => claims.beginEpoch(partition, lack.epoch, begin)
    await claimOrRebuild(() => claims.claim({ partition, begin, end, occurrences }), beginAnew)
    return []
  })
  await (await startService(t, 'deduplicator', envOf(set))).untilReady()
  const all = ['redrive', '--reason', 'not-supported-yet', '--confirm', String(live.length)]
  await Promise.all([dlq(set, ...all), dlq(set, ...all)])
  const { beginnings, ends, events, duplicates, letters, redriven } = await accountsOf(set, 3 * live.length)
  t.same(ends, beginnings, 'each raw and each redriven record has ended exactly once')
  t.same(idsOf(events), eventIdsOf(live), 'every change has exactly one event')
  t.equal(duplicates.length, live.length)
  await t.resolves(operator(set, 'account'), 'operator account finds nothing amiss')

  const raw = new Map((await readAll(...Object.values(topics.raw))).map((record) => [positionOf(record), record]))
  const byPosition = new Map(letters.map((record) => [positionOf(record), record]))
  for (const record of redriven) {
    const letter = byPosition.get(record.headers[header.redriveOf] as string)!
    t.equal(
      record.timestamp,
      raw.get(letter.headers[header.origin] as string)?.timestamp,
      'it carries the time of its raw record',
    )
  }
  t.ok(
    events.every(({ headers }) => headers[header.redriveOf]?.startsWith(topics.deadLetters.deduplicator)),
    'events say whose redrive they are',
  )

  await appendRecords(set.kafka, [{ topic: topics.normalized, partition: 1, key: 'foreign', value: 'not an event' }])
  await waitFor(
    'the foreign record to be a dead letter',
    async () => (await dlq(set, 'list', '--reason', 'not-an-event')).total === 1,
  )
  await dlq(set, 'redrive', '--reason', 'not-an-event', '--confirm', '1')
  const again = await waitFor('it to be dead again', async () => {
    const { entries, total } = await dlq(set, 'list', '--reason', 'not-an-event')
    return total === 2 && entries[1]
  })
  const [, appended] = (await readAll(topics.normalized)).filter(({ key }) => String(key) === 'foreign')
  t.equal(again.origin, appended && positionOf(appended), 'what is still poison is dead again, counted by its own position')
})
