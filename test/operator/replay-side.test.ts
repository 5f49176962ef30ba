/** Replay to a side topic: P8, byte for byte, on a past that the real services made. */
import t from 'tap'
import type { ReplayRange, ReplaySelection, ReplaySource } from '../../services/operator/replay/selection.ts'
import { loadSideKeys } from '../../services/operator/replay/side-keys.ts'
import { planSideReplay, runSideReplay } from '../../services/operator/replay/side-replay.ts'
import { type Findings, findingLines } from '../../services/operator/replay/side-tally.ts'
import { removeSideTopic, sideTopicName } from '../../services/operator/replay/side-topic.ts'
import { header } from '../../shared/contracts/headers.ts'
import { parsePosition } from '../../shared/contracts/topics.ts'
import type { Duplicate, TokenEvent } from '../../shared/contracts/types.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { readAll, readSettled } from '../support/read-topic.ts'
import { bytesByPartition, bytesOf, nineDays, notification, startScene } from './replay-scene.ts'

const hourMs = 60 * 60 * 1000
const scene = await startScene(t)
const { set, env } = scene
const { topics } = set
const session = { kafka: set.kafka, topics, topicPrefix: set.prefix }
const facts = await openTopicFacts(set.kafka)
t.teardown(() => facts.close())

// Ahead of the present: commit markers carry that, and a look-up by time finds them too, so that every replay would begin too early.
const begin = Date.now()
const days = nineDays(begin, 12)
const accepted = days.flat().length
/** Where each day's raw records begin, by topic and partition. */
const dayStarts: Map<string, number>[] = []
for (const [index, day] of days.entries()) {
  dayStarts.push(await ends())
  // Once, Redis has forgotten everything in the middle of it.
  if (index === 2) await scene.flushRedis()
  await scene.live(day)
}

async function ends(topicsOf = Object.values(topics.raw)): Promise<Map<string, number>> {
  const all = await Promise.all(topicsOf.map(async (topic) => [topic, await facts.allBounds(topic)] as const))
  return new Map(all.flatMap(([topic, bounds]) => [...bounds].map(([partition, { high }]) => [`${topic}/${partition}`, high])))
}

/** From these offsets, or the beginning of the log, to its end. */
async function from(source: ReplaySource, starts?: Map<string, number>): Promise<ReplaySelection> {
  const ranges: ReplayRange[] = []
  for (const [where, to] of await ends(source === 'raw' ? Object.values(topics.raw) : [topics.events])) {
    const { topic, partition } = parsePosition(`${where}/0`)!
    const { low } = await facts.bounds(topic, partition)
    const range = { topic, partition, from: Math.max(low, starts?.get(where) ?? 0), to }
    if (range.from < to) ranges.push(range)
  }
  return { source, ranges }
}

const options = (source: ReplaySource) => ({
  windowMs: 72 * hourMs,
  normalizer: source === 'raw' ? loadSideKeys(session, env) : undefined,
  maxDifferences: 1_000,
  now: Date.now,
})
const running = { done: {}, signal: new AbortController().signal, onProgress: () => {} }
const plan = (selection: ReplaySelection) => planSideReplay(session, facts, options(selection.source), { ...running, selection })
const run = (id: string, selection: ReplaySelection, more: object = {}) =>
  runSideReplay(session, facts, options(selection.source), { ...running, id, selection, ...more })

const sideTopic = (id: string) => sideTopicName(session, id)
const parse = <T>({ value }: SourceRecord) => JSON.parse(String(value)) as T

t.test('the past has every kind of verdict in it', async (t) => {
  const stamps = (await readAll(...Object.values(topics.raw))).map(({ timestamp }) => timestamp)
  t.strictSame(
    stamps.sort(),
    days
      .flat()
      .map(({ at }) => at)
      .sort(),
    'at the times it was given',
  )
  const [events, duplicates] = [await readAll(topics.events), (await readAll(topics.duplicates)).map(parse<Duplicate>)]
  const ids = events.map(({ headers }) => headers[header.id])
  t.ok(events.filter((event) => parse<TokenEvent>(event).late).length > 10, 'late creations')
  t.ok(ids.length - new Set(ids).size > 10, 'repeats after the window')
  t.ok(duplicates.filter(({ conflict }) => conflict).length > 2 && duplicates.length > 20, 'duplicates and conflicts')
  t.ok((await readAll(topics.deadLetters.normalizer)).length > 5, 'dead letters')
  t.ok(
    scene.services[1]?.lines().some(({ event, reason }) => event === 'claims-rebuilt' && reason === 'missing'),
    'and Redis had forgotten',
  )
})

t.test('a plan finds every verdict the same, and changes nothing', async (t) => {
  const { findings, replayed, topic, written } = await plan(await from('raw'))
  t.strictSame(findings.counts, { same: accepted, changed: 0, new: 0, gone: 0 })
  t.match({ replayed, topic, written }, { replayed: accepted, topic: undefined, written: 0 })
  t.match(findings, { uncertain: 0, notCompared: { 'in-flight': 0, 'left-retention': 0 } })
  t.strictSame(await facts.missing([sideTopic('planned')]), [sideTopic('planned')])
})

t.test('the side topic has the bytes of the public one; the same replay again writes nothing', async (t) => {
  const selection = await from('raw')
  const progress = new Map<string, number>()
  const first = await run('whole', selection, {
    onProgress: ({ topic, partition }: ReplayRange, next: number) => void progress.set(`${topic}/${partition}`, next),
  })
  t.match(first, { topic: sideTopic('whole'), alreadyThere: 0, stopped: false })
  const side = await bytesByPartition(sideTopic('whole'))
  t.strictSame(side, await bytesByPartition(topics.events))
  t.strictSame([...progress].sort(), selection.ranges.map(({ topic, partition, to }) => [`${topic}/${partition}`, to]).sort())

  const again = await run('whole', selection)
  t.match(again, { written: 0, alreadyThere: first.written })
  t.strictSame(await bytesByPartition(sideTopic('whole')), side)
})

for (const day of [1, 2, 3]) {
  t.test(`a replay of what was accepted from day ${day} on gives its events, though their copies lie before it`, async (t) => {
    const starts = dayStarts[day]!
    await run(`day-${day}`, await from('raw', starts))
    const isOfDay = ({ headers }: SourceRecord) => {
      const { topic, partition, offset } = parsePosition(headers[header.origin] ?? '')!
      return Number(offset) >= (starts.get(`${topic}/${partition}`) ?? 0)
    }
    const expected = Map.groupBy((await readAll(topics.events)).filter(isOfDay), ({ partition }) => partition)
    for (const [partition, bytes] of await bytesByPartition(sideTopic(`day-${day}`)))
      t.strictSame(bytes, expected.get(partition)?.map(bytesOf))
    t.equal((await readSettled(sideTopic(`day-${day}`))).length, [...expected.values()].flat().length)
  })
}

t.test('from events, without any key, a range of the public topic comes out again', async (t) => {
  const { source, ranges } = await from('events')
  const selection = { source, ranges: ranges.map((range) => ({ ...range, from: range.from + 9, to: range.to - 3 })) }
  const { findings } = await run('events', selection)
  t.match(findings.counts, { changed: 0, new: 0, gone: 0 })
  const all = await readAll(topics.events)
  for (const [partition, bytes] of await bytesByPartition(sideTopic('events'))) {
    const range = selection.ranges.find((one) => one.partition === partition)!
    const expected = all.filter((one) => one.partition === partition && one.offset >= range.from && one.offset < range.to)
    t.strictSame(bytes, expected.map(bytesOf))
  }
})

t.test('a replay that is stopped goes on where it was, and writes nothing twice', async (t) => {
  const selection = await from('raw')
  const stop = new AbortController()
  const stopped = await run('stopped', selection, { rate: 200, signal: stop.signal, onProgress: () => stop.abort() })
  t.ok(stopped.stopped && stopped.written > 0 && stopped.replayed < accepted, `stopped after ${stopped.replayed}`)
  const finished = await run('stopped', selection)
  t.match(finished, { stopped: false, alreadyThere: stopped.written })
  t.strictSame(await bytesByPartition(sideTopic('stopped')), await bytesByPartition(topics.events))
})

t.test('a replay of one token has that token’s events', async (t) => {
  const [event] = await readAll(topics.events)
  const key = String(event?.key)
  const { findings } = await run('token', { ...(await from('raw')), wants: (record) => String(record.key) === key })
  t.equal(findings.today.events, (await readSettled(sideTopic('token'))).length)
  const ofToken = (await readAll(topics.events)).filter((one) => String(one.key) === key)
  t.strictSame((await readSettled(sideTopic('token'))).map(bytesOf), ofToken.map(bytesOf))
})

t.test('a change of the code shows in a plan, member by member, and nothing sealed', async (t) => {
  const keys = loadSideKeys(session, env)
  const changedBody = (body: string) =>
    body
      .replace('"tokenCancelSource":"PSP"', '"tokenCancelSource":"ACQUIRER"')
      .replace(/"userId":"user-3"/, '"userId":"a-secret-name"')
      .replace(/"customerId":"[^"]*"/, '"customerId":"a-secret-name"')
      .replace('"token-of-the-replay-5"', '""')
      .replace('"TOKEN_REFRESHED"', '"TOKEN_CREATED"')
  const opener: typeof keys.opener = {
    open(...of) {
      const body = keys.opener.open(...of)
      return body && Buffer.from(changedBody(body.toString()))
    },
  }
  const changed = { ...options('raw'), normalizer: { ...keys, opener } }
  const { findings } = await planSideReplay(session, facts, changed, { ...running, selection: await from('raw') })
  const text = findingLines(findings).join('\n')
  t.comment(text)
  t.match(text, /\d+ same, [1-9]\d* changed, [1-9]\d* new, [1-9]\d* gone\./)
  t.match(JSON.stringify(findings.differences), '"public":"dead letter of the normalizer: unknown-type","replay":"event"')
  t.match(text, /cancellation\.source +\d+\n/)
  // Of all differences a text shows the first ones only.
  const linesOf = (wanted: (difference: Findings['differences'][number]) => boolean) =>
    findingLines({ ...findings, differences: findings.differences.filter(wanted) }).join('\n')
  t.match(
    linesOf(({ fields }) => String(fields.map(({ field }) => field)) === 'cancellation.source,raw.cancelSource'),
    /changed: \S+\/\d+: event\n {2}cancellation\.source: "wallet" → "merchant"\n {2}raw\.cancelSource: "PSP" → "ACQUIRER"\n/,
  )
  t.match(
    linesOf(({ finding }) => finding === 'gone'),
    /gone: \S+: event → dead letter of the normalizer: missing-field\n/,
  )
  const personal = findings.differences.filter(({ fields }) => fields.some(({ field }) => field === 'customerRef'))
  t.ok(personal.length > 0)
  for (const { fields } of personal)
    t.strictSame(
      fields.filter(({ field }) => field === 'customerRef' || field === 'sealed'),
      [{ field: 'customerRef' }, { field: 'sealed' }],
    )
  t.notMatch(JSON.stringify(findings), /a-secret-name|token-of-the-replay|eyJ/)
})

t.test('what the stages have not got to is in flight, and left out', async (t) => {
  for (const service of scene.services) await service.stop()
  await appendRecords(set.kafka, [scene.rawOf({ fixture: notification('created', 'alipayplus', 77), at: Date.now() })])
  const { findings, written } = await run('in-flight', await from('raw'))
  t.match(findings, { counts: { same: accepted, new: 0 }, notCompared: { 'in-flight': 1 } })
  t.equal(written, (await readAll(topics.events)).length)
})

/** Deletes what is before these offsets, as retention does. */
async function retire(topic: string, before: Map<number, number>): Promise<void> {
  const admin = set.kafka.admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: [topic] })
  const partitions = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }))
  await admin.deleteTopicRecords({ topic, partitions }).finally(() => admin.disconnect())
}

/** Where the records of the second day begin, by partition. */
async function secondDay(topic: string): Promise<Map<number, number>> {
  const later = (await readAll(topic)).filter(({ timestamp }) => timestamp >= begin + 24 * hourMs)
  return new Map([...Map.groupBy(later, ({ partition }) => partition)].map(([partition, [first]]) => [partition, first!.offset]))
}

t.test('public outcomes that left retention are not compared, and their events come out all the same', async (t) => {
  for (const topic of [topics.events, topics.duplicates, topics.deadLetters.normalizer])
    await retire(topic, await secondDay(topic))
  const { findings, written } = await run('retired', await from('raw'))
  t.match(findings, { counts: { changed: 0, new: 0, gone: 0 }, notCompared: { 'left-retention': days[0]!.length } })
  t.strictSame(await bytesByPartition(sideTopic('retired')), await bytesByPartition(sideTopic('in-flight')))
  t.ok(written > (await readAll(topics.events)).length)
})

t.test('without the whole window before a range, it is said from where on verdicts are certain', async (t) => {
  await retire(topics.normalized, await secondDay(topics.normalized))
  await t.rejects(plan(await from('raw')), /has left \S+, and with it the order in which it was judged\. Choose a range/)
  const { findings } = await plan(await from('raw', dayStarts[1]))
  t.equal(findings.uncertain, days[1]!.length + days[2]!.length, 'days 3 and 5 are less than a window after what is left')
  const certain = [...dayStarts[3]!].filter(([where]) => findings.certainFrom[where] !== undefined)
  t.strictSame(findings.certainFrom, Object.fromEntries(certain))
  t.match(await plan(await from('raw', dayStarts[3])), { findings: { uncertain: 0 } })
})

t.test('a range that left retention is refused, and it is said which part', async (t) => {
  const selection = await from('raw')
  await retire(topics.raw.alipayplus, new Map([[0, 3]]))
  await t.rejects(plan(selection), { message: new RegExp(`${topics.raw.alipayplus}/0: offsets 0 to 2 left retention`) })
})

t.test('a side topic that holds something else is left alone, with the place', async (t) => {
  const selection = await from('raw', dayStarts[3])
  await run('foreign', { ...selection, wants: () => false })
  await appendRecords(set.kafka, [{ topic: sideTopic('foreign'), partition: 1, key: 'k', value: 'not of this replay' }])
  await t.rejects(run('foreign', selection), {
    message: `${sideTopic('foreign')}/1/0 is not what this replay makes: begin a new one`,
  })
  // kafkajs's client never forgets a topic it has asked for: this comes last.
  t.ok(await removeSideTopic(session, facts, 'foreign'))
  t.notOk(await removeSideTopic(session, facts, 'foreign'), 'it is gone')
})
