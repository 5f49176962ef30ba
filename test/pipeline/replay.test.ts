/** Replay in place on the pipeline at work: it adds nothing to the public topic, syncs only when asked, and stops and goes on. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import type { MerchantSync } from '../../shared/contracts/types.ts'
import { positionOf, type SourceRecord } from '../../shared/kafka/record.ts'
import { operator } from '../operator/operator-under-test.ts'
import { readAll, readSettled } from '../support/read-topic.ts'
import { waitFor } from '../support/wait-for.ts'
import { type PipelineUnderTest, startPipeline } from './pipeline.ts'
import { accountsOf, busiestMerchant, developmentKeys, simulate } from './simulation.ts'

type Document = {
  id: string
  state: string
  written: number
  copies: number
  syncs: number
  leftOut: { earlierCopies: number; deadLetters: number; notSelected: number }
  refused?: string
  replays: { id: string; state: string; written: number; startedBy: string }[]
  notes: string[]
  counts: Record<string, number>
  today: { events: number }
  totals: { raw: number; replayed: number; beforeMerchantSync: number; inFlight: { normalizer: number; deduplicator: number } }
  merchantSync: { replayed: number }
}
type Around = { now?: () => number; stopSignal?: () => AbortSignal }

const createReplay =
  ({ env }: PipelineUnderTest) =>
  async (args: string[], around: Around = {}) => {
    const { code, json } = await operator([...args, '--json'], { env, ...around })
    return { code, document: json() as Document & { error?: string } }
  }
const rawOf = ({ set }: PipelineUnderTest) => readAll(...Object.values(set.topics.raw))
const isOf = (id: string) => (record: SourceRecord) => record.headers[header.replayId] === id
const isReplayed = ({ headers }: SourceRecord) => headers[header.replayId] !== undefined
const content = ({ topic, partition, key, value }: SourceRecord) => `${topic}/${partition} ${key} ${value}`
const parsed = <T>({ value }: SourceRecord) => JSON.parse(String(value)) as T

t.test('replay in place', async (t) => {
  const { keys, env } = await developmentKeys()
  const pipeline = await startPipeline(t, env)
  const { topics } = pipeline.set
  const replay = createReplay(pipeline)
  await operator(['merchants', 'put', join(keys, 'merchants.json')], { env: pipeline.env })
  const before = await simulate(pipeline.gatewayUrl, keys, { seed: 31, count: 300, rate: 150 })
  await accountsOf(pipeline)

  await t.test('of everything, while notifications come in: every copy is a duplicate', async (t) => {
    const live = simulate(pipeline.gatewayUrl, keys, { seed: 32, count: 500, rate: 100 })
    await waitFor('the simulation to be under way', async () => (await rawOf(pipeline)).length > 320)
    const { code, document } = await replay(['replay', 'run', '--in-place', '--all', '--id', 'everything'])
    t.equal(code, 0, document.error ?? 'it ended')
    t.match(document, { id: 'everything', state: 'ended' })
    t.ok(document.written > 250, `${document.written} copies`)
    const ids = new Set([...before, ...(await live)])
    const { eventIds } = await accountsOf(pipeline)
    t.strictSame(eventIds.toSorted(), [...ids].sort(), 'each change has one event, and nothing else has')

    const raw = await rawOf(pipeline)
    const copies = raw.filter(isOf('everything'))
    t.equal(copies.length, document.written)
    const originals = new Set(raw.filter((record) => !isReplayed(record)).map(content))
    t.strictSame(
      copies.filter((copy) => !originals.has(content(copy))).map(positionOf),
      [],
      'key, value and partition are the same',
    )
    const duplicates = (await readAll(topics.duplicates)).filter(isReplayed)
    t.strictSame(
      duplicates.map(({ headers }) => headers[header.origin]).sort(),
      copies.map(positionOf).sort(),
      'each copy is a duplicate that says whose replay it is',
    )
    t.strictSame((await readAll(topics.events, topics.syncs)).filter(isReplayed), [], 'no subscriber and no merchant hears of it')
    await accountHolds(t, pipeline, document.written)
  })

  await t.test('a plan changes nothing, and leaves out copies and dead letters', async (t) => {
    const count = async () => (await readAll(...Object.values(topics.raw), topics.syncs, topics.audit)).length
    const there = await count()
    const { code, document } = await replay(['replay', 'plan', '--in-place', '--all'])
    t.equal(code, 0)
    const raw = await rawOf(pipeline)
    const dead = await readAll(topics.deadLetters.normalizer)
    t.ok(dead.length > 0)
    t.match(document, {
      copies: raw.filter((record) => !isReplayed(record)).length - dead.length,
      leftOut: { earlierCopies: raw.filter(isReplayed).length, deadLetters: dead.length, notSelected: 0 },
    })
    t.equal(await count(), there)
  })

  await t.test('what is older than the window is refused, and nothing is written', async (t) => {
    const there = (await rawOf(pipeline)).length
    const later = { now: () => Date.now() + 72 * 3_600_000 }
    const { code, document } = await replay(['replay', 'run', '--in-place', '--all'], later)
    t.equal(code, 1)
    t.match(document.error, /Accepted more than 71 hours ago.*side topic/s)
    t.equal((await rawOf(pipeline)).length, there)
    t.equal((await replay(['replay', 'plan', '--in-place', '--all'], later)).code, 1)
  })

  await t.test('syncs come again to the merchants that are named, and to no other', (t) => syncsAgain(t, pipeline))

  await t.test('stopped and gone on with, it writes nothing twice', async (t) => {
    const planned = (await replay(['replay', 'plan', '--in-place', '--all'])).document.copies
    const running = replay(['replay', 'run', '--in-place', '--all', '--id', 'slow', '--rate', '50'])
    await waitFor('some copies', async () => (await rawOf(pipeline)).some(isOf('slow')))
    t.equal((await replay(['replay', 'run', '--resume', 'slow'])).code, 1, 'what runs cannot be gone on with')
    t.match(await replay(['replay', 'stop', 'slow']), { code: 0, document: { state: 'stopped' } })
    const stopped = await running
    t.match(stopped, { code: 1, document: { state: 'stopped' } })
    const { written } = stopped.document
    t.ok(written > 0 && written < planned, `${written} of ${planned}`)
    t.match(await replay(['replay', 'status', 'slow']), { document: { replays: [{ id: 'slow', state: 'stopped', written }] } })

    const stop = new AbortController()
    const resumed = replay(['replay', 'run', '--resume', 'slow'], { stopSignal: () => stop.signal })
    await waitFor('more copies', async () => (await rawOf(pipeline)).filter(isOf('slow')).length > written)
    stop.abort()
    t.match((await resumed).document, { state: 'stopped' }, 'Ctrl-C stops as well')
    const { code, document } = await replay(['replay', 'run', '--resume', 'slow'])
    t.match({ code, document }, { code: 0, document: { state: 'ended', written: planned } })
    const copies = (await rawOf(pipeline)).filter(isOf('slow'))
    t.equal(copies.length, planned)
    t.equal(new Set(copies.map(content)).size, planned, 'each raw record once')
    t.equal((await replay(['replay', 'run', '--resume', 'slow'])).code, 1, 'what has ended cannot be gone on with')
    t.equal((await replay(['replay', 'run', '--in-place', '--all', '--id', 'slow'])).code, 1, 'an id is used once')
    t.match((await replay(['replay', 'status'])).document.replays[0], { startedBy: 'tester@here' })
  })

  await t.test('to a side topic, stopped and gone on with: the bytes of the public topic', (t) => toSideTopic(t, pipeline))

  await t.test('what left retention is refused by name, or left out', async (t) => {
    const topic = topics.raw.alipayplus
    const admin = pipeline.set.kafka.admin()
    await admin.connect()
    // kafkajs deletes only where it knows the leaders already.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] })
    await admin.disconnect()
    const plan = async (...args: string[]) => (await replay(['replay', 'plan', '--in-place', ...args])).document
    t.match((await plan('--offsets', `${topic}/0/2-9`)).error, new RegExp(`${topic}/0: offsets 2 to 4 left retention`))
    t.match((await plan('--since', '31d')).error, new RegExp(`${topic}/0: offsets up to 4, accepted before .*, left retention`))
    t.match((await plan('--since', '31d', '--retained')).notes, [/^Left out: .*offsets up to 4/])
    t.match((await plan('--since', '1h')).notes, [/offsets up to 4.* were deleted; whether any was of this range cannot be told/])
    t.match(await plan('--offsets', `${topic}/0/2-9`, '--retained'), { ranges: [{ from: 5, to: 10 }] })
    t.match((await plan('--offsets', `${topic}/0/999999`)).error, /is not there yet/)
  })
})

async function toSideTopic(t: Test, pipeline: PipelineUnderTest): Promise<void> {
  const { topics, prefix } = pipeline.set
  const replay = createReplay(pipeline)
  await untilAtRest(pipeline)
  const events = await readAll(topics.events)
  const planned = await replay(['replay', 'plan', '--all'])
  t.match(planned, { code: 0, document: { counts: { changed: 0, new: 0, gone: 0 }, today: { events: events.length } } })

  const [dead] = await readAll(topics.deadLetters.normalizer)
  const letter = await replay(['replay', 'plan', '--dead-letter', positionOf(dead as SourceRecord)])
  t.match(letter, { code: 0, document: { replayed: 1, counts: { same: 1 }, today: { deadLetters: 1 } } })

  const side = `${prefix}replays.side.token-events.v1`
  const running = replay(['replay', 'run', '--all', '--id', 'side', '--rate', '300'])
  await waitFor('some events', async () => (await readAll(side)).length > 0)
  t.match(await replay(['replay', 'stop', 'side']), { code: 0, document: { state: 'stopped' } })
  t.match((await running).document, { state: 'stopped' })
  t.match(await replay(['replay', 'run', '--resume', 'side']), { code: 0, document: { state: 'ended', written: events.length } })
  const bytes = ({ topic: _, offset: __, key, value, ...rest }: SourceRecord) => ({
    ...rest,
    key: String(key),
    value: String(value),
  })
  const byPartition = (records: SourceRecord[]) => Map.groupBy(records.map(bytes), ({ partition }) => partition)
  t.strictSame(byPartition(await readSettled(side)), byPartition(events))
  t.equal((await replay(['replay', 'remove', 'side'])).code, 0)
  t.equal((await replay(['replay', 'remove', 'side'])).code, 1)

  const { code, document } = await operatorWithoutKeys(pipeline, ['replay', 'run', '--all', '--id', 'no-keys'])
  t.equal(code, 2)
  t.match(document.error, /RAW_PRIVATE_KEYS_FILE/)
  t.equal((await replay(['replay', 'status', 'no-keys'])).code, 1, 'nothing was begun')
}

async function operatorWithoutKeys({ env }: PipelineUnderTest, args: string[]) {
  const { KAFKA_BROKERS = '', TOPIC_PREFIX = '' } = env
  const { code, json } = await operator([...args, '--json'], { env: { KAFKA_BROKERS, TOPIC_PREFIX } })
  return { code, document: json() as { error?: string } }
}

async function syncsAgain(t: Test, pipeline: PipelineUnderTest): Promise<void> {
  const { topics } = pipeline.set
  const replay = createReplay(pipeline)
  await untilAtRest(pipeline)
  const { merchantId, syncs: originals } = busiestMerchant(await readAll(topics.syncs))
  const rawBefore = (await rawOf(pipeline)).length
  const args = ['--in-place', '--source', 'events', '--all', '--sync', `merchant=${merchantId}`]

  const { document } = await replay(['replay', 'run', ...args, '--id', 'resync'])
  const again = (await readAll(topics.syncs)).filter(isReplayed)
  const bare = ({ partition, key, value, timestamp, headers: { [header.replayId]: _, ...headers } }: SourceRecord) => {
    return { partition, key: String(key), value: String(value), timestamp, headers }
  }
  const byKey = (syncs: SourceRecord[]) => Map.groupBy(syncs.map(bare), ({ key }) => key)
  t.strictSame(byKey(again), byKey(originals), 'each as it was, in its order, but for replay-id')
  t.match(document, { state: 'ended', written: again.length })
  t.ok(again.length > 10 && again.every(isOf('resync')))
  t.equal((await rawOf(pipeline)).length, rawBefore, 'events again means no raw record')

  const token = again.flatMap((sync) => parsed<MerchantSync>(sync).event.token?.ref ?? [])[0] as string
  const both = await replay([
    'replay',
    'run',
    '--in-place',
    '--token',
    token,
    '--sync',
    `merchant=${merchantId}`,
    '--id',
    'token',
  ])
  t.equal(both.code, 0, both.document.error ?? 'it ended')
  const copies = (await rawOf(pipeline)).filter(isOf('token'))
  t.ok(copies.length > 0 && copies.every(({ key }) => String(key) === token))
  const syncs = (await readAll(topics.syncs)).filter(isOf('token'))
  const ofToken = originals.filter((sync) => parsed<MerchantSync>(sync).event.token?.ref === token)
  t.strictSame(syncs.map(bare), ofToken.map(bare))
  t.equal(both.document.written, copies.length + syncs.length)
  const byMerchant = await replay(['replay', 'plan', '--in-place', '--merchant', merchantId])
  t.ok(byMerchant.document.copies > 0 && byMerchant.document.leftOut.notSelected > 0)

  const refusedArgs = [
    ['--in-place', '--source', 'events', '--all'],
    ['--in-place', '--all', '--sync', 'merchant=nobody'],
    ['--in-place'],
  ]
  for (const refused of refusedArgs) t.not((await replay(['replay', 'run', ...refused])).code, 0, refused.join(' '))
}

async function accountHolds(t: Test, pipeline: PipelineUnderTest, replayed: number): Promise<void> {
  const { code, document } = await untilAtRest(pipeline)
  t.equal(code, 0, 'the account holds')
  t.equal(document.totals.replayed, replayed)
}

/** The account, as soon as nothing is in flight. */
function untilAtRest(pipeline: PipelineUnderTest) {
  return waitFor('nothing to be in flight', async () => {
    const account = await createReplay(pipeline)(['account'])
    const { inFlight, beforeMerchantSync } = account.document.totals
    return inFlight.normalizer + inFlight.deduplicator + beforeMerchantSync === 0 && account
  })
}
