/** `operator dlq` on dead letter topics that the stages' own code has written; `test/pipeline/redrive.test.ts` has the services. */
import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import type { StageName } from '../../shared/contracts/topics.ts'
import { type AppendedRecord, appendRecords } from '../../shared/kafka/append.ts'
import { deadLetter, type SourceRecord } from '../../shared/stage/outcome.ts'
import { processBatch } from '../../shared/stage/process-batch.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'
import { readAll } from '../support/read-topic.ts'
import { createTopicSet, type TopicSet, testStack } from '../support/topic-set.ts'
import { operator, temporaryFolder } from './operator-under-test.ts'

const keys = loadTestKeys(temporaryFolder(t))
const acceptedAt = Date.parse('2026-11-22T05:00:00Z')
const soon = () => acceptedAt + 60_000
const fixtureNamed = (name: string) => fixtures.find((fixture) => fixture.name === name)!
const created = fixtureNamed('alipayplus/token-created')
const secretsOf = (expected: (typeof created)['expected']) =>
  'credentials' in expected ? Object.values(expected.credentials).filter((secret) => secret.length >= 6) : []

async function setUp(t: Parameters<typeof createTopicSet>[0]) {
  const set = await createTopicSet(t)
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: set.prefix }
  const run = (...args: string[]) => operator(['dlq', ...args], { env, now: soon })
  return { set, env, run }
}

/** Dead letters as the stage writes them. */
async function bury(set: TopicSet, name: StageName, sources: SourceRecord[], reason: string, failedAt: string): Promise<void> {
  const deadLetters = set.topics.deadLetters[name]
  const decide = async ({ records }: { records: SourceRecord[] }) => records.map(() => deadLetter(reason, 'as the test says'))
  const stage = { name, sources: [], outputs: [], deadLetters, step: { decide } }
  const records: AppendedRecord[] = []
  for (const source of sources) {
    const batch = { ...source, records: [source], begin: source.offset, end: source.offset + 1 }
    for (const output of (await processBatch(stage, batch, failedAt)).outputs)
      records.push({ ...output, timestamp: Number(output.timestamp) })
  }
  await appendRecords(set.kafka, records)
}

/** The raw record of a fixture, as it would lie in this topic set. */
const raw = ({ topics }: TopicSet, fixture: (typeof fixtures)[number], place: { partition: number; offset: number }) =>
  rawRecord(fixture, keys, { topic: topics.raw[fixture.provider], timestamp: acceptedAt, ...place })

/** One member of each entry of a list in the answer; anything else is the error it gave. */
function positions({ out }: { out: string }, list = 'entries', member = 'position'): (string | undefined)[] {
  const entries = (JSON.parse(out) as Record<string, Record<string, string>[] | undefined>)[list]
  if (!entries) throw new Error(out)
  return entries.map((entry) => entry[member])
}

t.test('list counts by stage and reason, in a stable order, and takes every selection', async (t) => {
  const { set, run } = await setUp(t)
  t.match(await run('list'), { code: 0, out: 'No dead letters.\n' })
  const at = (partition: number, offset: number) => raw(set, created, { partition, offset })
  await bury(set, 'normalizer', [at(2, 5), at(0, 9), at(0, 10)], 'unknown-type', '2026-11-22T05:00:10.000Z')
  await bury(set, 'normalizer', [at(0, 11)], 'not-json', '2026-11-22T05:00:30.000Z')
  const foreign = { ...at(1, 3), topic: set.topics.normalized, key: Buffer.from('not ours'), headers: {} }
  await bury(set, 'deduplicator', [foreign], 'not-an-event', '2026-11-22T05:00:40.000Z')

  const { normalizer, deduplicator } = set.topics.deadLetters
  const all = [`${normalizer}/0/0`, `${normalizer}/0/1`, `${normalizer}/0/2`, `${normalizer}/2/0`, `${deduplicator}/1/0`]
  const listed = await run('list', '--json')
  t.same(positions(listed), all)
  t.match(listed.json(), {
    total: 5,
    counts: [
      { stage: 'normalizer', reason: 'unknown-type', count: 3 },
      { stage: 'deduplicator', reason: 'not-an-event', count: 1 },
      { stage: 'normalizer', reason: 'not-json', count: 1 },
    ],
  })
  t.match((listed.json().entries as unknown[])[0], {
    reason: 'unknown-type',
    failedAt: '2026-11-22T05:00:10.000Z',
    key: at(0, 9).key!.toString(),
    origin: `${set.topics.raw.alipayplus}/0/9`,
  })
  const { out } = await run('list')
  t.match(out, /normalizer +unknown-type +3\n/)
  t.match(out, /\d+ +not-an-event +2026-11-22T05:00:40\.000Z +\(8 bytes, not ours\)/)

  const selections: [string[], string[]][] = [
    [['--stage', 'deduplicator'], [all[4]!]],
    [['--reason', 'not-json'], [all[2]!]],
    [
      ['--since', '2026-11-22T05:00:30Z'],
      [all[2]!, all[4]!],
    ],
    [
      ['--since', '1m', '--until', '2026-11-22T05:00:30Z'],
      [all[0]!, all[1]!, all[3]!],
    ],
    [['--key', 'not ours'], [all[4]!]],
    [['--partition', '0', '--from', '1', '--to', '1'], [all[1]!]],
    [['--after', all[1]!], all.slice(2)],
  ]
  for (const [options, expected] of selections)
    t.same(positions(await run('list', ...options, '--json')), expected, options.join(' '))

  const short = await run('list', '--limit', '2')
  t.match(short.out, `3 more: go on with --after ${all[1]}`)
  t.notMatch(short.out, all[2])
  t.equal((await run('list', '--since', 'yesterday')).code, 2)
  t.equal((await run('list', '--stage', 'gateway')).code, 2)
})

t.test('show tells what it is and where a redrive would put it, and no output has a credential', async (t) => {
  const { set, run } = await setUp(t)
  const live = fixtures.filter(({ expected }) => 'credentials' in expected)
  await bury(
    set,
    'normalizer',
    live.map((fixture, offset) => raw(set, fixture, { partition: 0, offset })),
    'unknown-type',
    '2026-11-22T05:00:10.000Z',
  )
  const [normalizer, deduplicator, sync] = Object.values(set.topics.deadLetters) as [string, string, string]
  const shown = await run('show', `${normalizer}/0/0`, '--json')
  const [first] = await readAll(normalizer)
  t.match(shown.json(), {
    stage: 'normalizer',
    reason: 'unknown-type',
    detail: 'as the test says',
    fellOutOf: `${set.topics.raw.alipayplus}/0/0`,
    origin: `${set.topics.raw.alipayplus}/0/0`,
    acceptedAt: '2026-11-22T05:00:00.000Z',
    valueBytes: first!.value!.length,
    value: { what: 'a sealed raw notification', kid: 'test-raw' },
    headers: { provider: 'alipayplus', 'dlq-stage': 'normalizer', 'http-path': String },
    redrive: { to: `${set.topics.raw.alipayplus}/0`, until: '2026-11-25T05:00:00.000Z' },
  })

  // What something else may write: a notification in the clear, and a token event with its seal.
  const event = { eventId: 'a'.repeat(32), type: 'token.created', late: false, merchantId: 'M-1', token: { ref: 'b'.repeat(32) } }
  const sealed = first!.value!.toString()
  const odd = { ...raw(set, created, { partition: 1, offset: 0 }), topic: set.topics.events }
  const clear = (created as { body: Buffer }).body
  const withSeal = Buffer.from(JSON.stringify({ ...event, sealed, accessToken: 'access-in-the-clear' }))
  const misused = { [header.account]: 'shop', 'x-token': 'header-in-the-clear' }
  const sources = [
    { ...odd, value: clear, headers: misused, key: Buffer.from('key-in-the-clear') },
    { ...odd, value: withSeal },
    { ...odd, value: Buffer.from('text-in-the-clear') },
    { ...odd, value: null },
  ]
  await bury(set, 'merchant-sync', sources, 'not-an-event', '2026-11-22T05:00:20.000Z')
  await bury(set, 'deduplicator', sources, 'not-an-event', '2026-11-22T05:00:20.000Z')
  const syncShown = await run('show', `${sync}/1/1`, '--json')
  t.same((syncShown.json().value as { fields: object }).fields, {
    eventId: event.eventId,
    type: event.type,
    late: 'false',
    merchantId: 'M-1',
    'token.ref': event.token.ref,
  })
  t.match(syncShown.json(), {
    value: { sealedBytes: sealed.length, kid: 'test-raw' },
    redrive: { refused: /on .*token-events\.v1 already/ },
  })
  t.match((await run('show', `${sync}/1/0`)).out, /x-token: \(19 bytes, not ours\)/)

  const everything = await readAll(normalizer, deduplicator, sync)
  const outputs = [await run('list', '--limit', '1000'), await run('list', '--limit', '1000', '--json')]
  for (const { topic, partition, offset } of everything)
    outputs.push(await run('show', `${topic}/${partition}/${offset}`, ...(offset % 2 ? ['--json'] : [])))
  outputs.push(await run('redrive', '--dry-run'), await run('redrive', '--dry-run', '--json'), await run('redrive'))
  t.ok(outputs.every(({ out }) => out.length > 50))
  const planted = ['access', 'header', 'key', 'text'].map((where) => `${where}-in-the-clear`)
  const jwes = everything.map(({ value }) => value?.toString().split('.')[3]).filter((part) => part !== undefined)
  const secrets = [...new Set([...live.flatMap(({ expected }) => secretsOf(expected)), ...planted, ...jwes])]
  t.ok(secrets.length > 60, `${secrets.length} secrets and seals to look for`)
  const text = outputs.map(({ out, err }) => out + err).join('')
  t.same(
    secrets.filter((secret) => text.includes(secret)),
    [],
  )
  t.match(await run('show', `${normalizer}/3/7`), { code: 1, err: /There is no dead letter at/ })
  t.match(await run('show', 'somewhere'), { code: 2, err: /no position of a dead letter/ })
})

t.test('redrive does what was confirmed, to the letter, and records it first', async (t) => {
  const { set, env, run } = await setUp(t)
  const { topics } = set
  const sources = [0, 1, 2].map((offset) => raw(set, created, { partition: 1, offset }))
  await bury(set, 'normalizer', sources, 'unknown-type', '2026-11-22T05:00:10.000Z')
  const old = { ...raw(set, created, { partition: 2, offset: 0 }), timestamp: acceptedAt - 72 * 3_600_000 }
  await bury(set, 'normalizer', [old], 'not-json', '2026-11-22T05:00:10.000Z')
  const place = `${topics.deadLetters.normalizer}/1`
  const rawNow = () => readAll(topics.raw.alipayplus)
  const auditNow = async () => (await readAll(topics.audit)).map(({ value }) => JSON.parse(String(value)) as object)

  const dry = await run('redrive', '--reason', 'unknown-type', '--dry-run')
  t.match(dry, { code: 0, out: /3 would be redriven\.\n$/ })
  t.match(dry.out, `${place}/0 → ${topics.raw.alipayplus}/1\n`)
  t.match(await run('redrive', '--reason', 'unknown-type'), { code: 1, out: /repeat it with --confirm 3\.\n$/ })
  t.match(await run('redrive', '--reason', 'unknown-type', '--confirm', '2'), { code: 1, out: /it is 3, not 2/ })
  t.match(await run('redrive', `${place}/0`, `${place}/9`, '--confirm', '2'), {
    code: 1,
    err: new RegExp(`Not there.*${place}/9`),
  })
  t.match(await run('redrive', '--stage', 'normalizer', '--limit', '10001'), { code: 2 })
  t.same([...(await rawNow()), ...(await auditNow())], [], 'until it is confirmed, nothing is written')

  const done = await run('redrive', '--reason', 'unknown-type', '--confirm', '3', '--json')
  t.equal(done.code, 0)
  t.same(
    positions(done, 'redriven', 'to'),
    [0, 1, 2].map((offset) => `${topics.raw.alipayplus}/1/${offset}`),
  )
  const records = await rawNow()
  t.equal(records.length, 3)
  for (const [index, record] of records.entries()) {
    const { key, value, headers } = sources[index]!
    t.same([record.key, record.value], [key, value])
    t.same(record.headers, { ...headers, [header.redriveOf]: `${place}/${index}` })
    t.ok(record.timestamp > acceptedAt, 'the broker has stamped it')
  }
  t.match(await auditNow(), [{ at: String, args: ['dlq', 'redrive', '--reason', 'unknown-type'] }])
  t.has(await auditNow(), [{ command: 'dlq redrive', who: 'tester@here', changes: { redriven: { [place]: [0, 1, 2] } } }])

  const mixed = await run('redrive', '--confirm', '2', '--limit', '2', '--json')
  t.match(mixed.json(), { selected: 4, redriven: { length: 2 }, after: `${place}/1` })
  const rest = await run('redrive', '--after', `${place}/1`, '--confirm', '1')
  t.match(
    rest,
    { code: 1, out: /\/2\/0 refused: it was accepted at .*72 hours/ },
    'what is refused is said, and shows in the exit code',
  )
  t.match(rest.out, /1 redriven, 1 refused\./)
  t.match((await run('redrive', '--reason', 'not-json', '--confirm', '0')).out, /Nothing to redrive, 1 refused\.\n$/)
  t.match(await run('redrive', '--reason', 'not-json', '--confirm', '1', '--window-hours', '80'), { code: 0 })
  t.equal((await auditNow()).length, 4, 'one audit record for each that did something')

  const later = () => acceptedAt + 73 * 3_600_000
  const outside = await operator(['dlq', 'redrive', `${place}/0`, '--confirm', '0', '--json'], { env, now: later })
  t.match(outside, { code: 1 })
  t.match(outside.json(), { redriven: { length: 0 }, refused: [{ deadLetter: `${place}/0` }] })
})

t.test('without an audit trail nothing is redriven', async (t) => {
  const { set, run } = await setUp(t)
  await bury(set, 'normalizer', [raw(set, created, { partition: 0, offset: 0 })], 'not-json', '2026-11-22T05:00:10.000Z')
  const admin = set.kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [set.topics.audit] })
  t.match(await run('redrive', '--confirm', '1'), { code: 1, err: /nothing was done, because it could not be recorded/ })
  t.same(await readAll(set.topics.raw.alipayplus), [])
  await admin.createTopics({ topics: [{ topic: set.topics.audit }] })
  await admin.disconnect()
})

t.test('without its topics it says how to make them', async (t) => {
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: 'test-nowhere.' }
  t.match(await operator(['dlq', 'list'], { env }), { code: 1, err: /is missing.*operator topics apply/ })
})
