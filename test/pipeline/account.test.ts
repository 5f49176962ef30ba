import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Account } from '../../services/operator/account/account.ts'
import { takeCut } from '../../services/operator/account/cut.ts'
import { readAccount } from '../../services/operator/account/read-account.ts'
import { header } from '../../shared/contracts/headers.ts'
import { groupId } from '../../shared/contracts/topics.ts'
import { explicitPartitioner } from '../../shared/kafka/client.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { operator } from '../operator/operator-under-test.ts'
import { readAll } from '../support/read-topic.ts'
import { waitFor } from '../support/wait-for.ts'
import { type PipelineUnderTest, startPipeline } from './pipeline.ts'
import { accountsOf, developmentKeys, simulate } from './simulation.ts'

type Document = {
  holds: boolean
  totals: { raw: number; events: number; duplicates: number; deadLetters: number; missing: number; twice: number } & {
    beforeMerchantSync: number
    leftRetention: number
    outcomesOfLeftRecords: number
    notJudged: number
    strangeOrigins: number
    inFlight: { normalizer: number; deduplicator: number }
  }
  partitions: Record<string, number>[]
  problems: Account['problems']
  merchantSync: { syncs: Record<string, number>; deadLetters: { count: number } }
}

async function account({ env }: PipelineUnderTest, ...args: string[]): Promise<{ code: number; document: Document }> {
  const { code, json } = await operator(['account', '--json', ...args], { env })
  return { code, document: json() as Document }
}

const waiting = ({ inFlight, beforeMerchantSync }: Document['totals']) =>
  inFlight.normalizer + inFlight.deduplicator + beforeMerchantSync

async function append(
  { set }: PipelineUnderTest,
  topic: string,
  record: Pick<SourceRecord, 'partition' | 'headers' | 'key' | 'value'>,
) {
  const producer = set.kafka.producer({ createPartitioner: explicitPartitioner })
  await producer.connect()
  const { partition, headers, key, value } = record
  const [sent] = await producer.send({ topic, messages: [{ partition, headers, key, value }] })
  await producer.disconnect()
  return `${topic}/${partition}/${sent?.baseOffset}`
}

t.test('the account of a pipeline at work, at rest, and after it was tampered with', async (t) => {
  const { keys, env } = await developmentKeys()
  const pipeline = await startPipeline(t, env)
  await operator(['merchants', 'put', join(keys, 'merchants.json')], { env: pipeline.env })

  await t.test('at full load nothing is ever called missing, twice or strange', async (t) => {
    let running = true
    const simulation = simulate(pipeline.gatewayUrl, keys, { seed: 21, count: 2_400, rate: 300 }).finally(() => {
      running = false
    })
    let looks = 0
    let busy = 0
    while (running) {
      const { code, document } = await account(pipeline)
      if (code !== 0) t.match(document, { holds: true, problems: [] })
      if (waiting(document.totals) > 0) busy++
      looks++
    }
    await simulation
    t.ok(looks >= 5, `it was looked at ${looks} times`)
    t.ok(busy > 0, 'and something was in flight')
  })

  await t.test('at rest nothing is in flight, and the equation holds to the record', async (t) => {
    const found = await accountsOf(pipeline)
    const { code, document } = await waitFor('nothing to be in flight', async () => {
      const accounted = await account(pipeline)
      return waiting(accounted.document.totals) === 0 && accounted
    })
    t.equal(code, 0)
    const { raw, events, duplicates, deadLetters } = document.totals
    t.strictSame(
      { raw, events, duplicates },
      { raw: found.raw, events: found.eventIds.length, duplicates: found.duplicates.length },
    )
    t.equal(raw, events + duplicates + deadLetters)
    t.ok(events > 1_000 && duplicates > 500 && deadLetters > 0)
    const syncs = Object.values(document.merchantSync.syncs).reduce((sum, count) => sum + count, 0)
    t.equal(syncs, (await readAll(pipeline.set.topics.syncs)).length)
  })

  await t.test('a time range is part of the whole', async (t) => {
    const records = await readAll(pipeline.set.topics.raw.alipayplus)
    const middle = records.map(({ timestamp }) => timestamp).sort()[Math.floor(records.length / 2)] as number
    const time = new Date(middle).toISOString()
    const [before, after] = [await account(pipeline, '--to', time), await account(pipeline, '--from', time)]
    t.strictSame([before.code, after.code], [0, 0])
    const { raw } = (await account(pipeline)).document.totals
    t.equal(before.document.totals.raw + after.document.totals.raw, raw)
    t.ok(before.document.totals.raw > 0 && after.document.totals.raw > 0)
    t.equal(after.document.totals.notJudged, before.document.totals.raw)
  })

  await t.test('what was tampered with is found, by its exact position', (t) => tampered(t, pipeline))
})

async function tampered(t: Test, pipeline: PipelineUnderTest): Promise<void> {
  const { set, services } = pipeline
  const { topics, kafka, prefix } = set
  for (const name of ['merchant-sync', 'deduplicator', 'normalizer'] as const) await services[name].stop()
  const admin = kafka.admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())

  // Skipped: the normalizer's offset is set beyond a raw record that it never saw.
  const [raw] = await readAll(topics.raw.bluepay)
  const skipped = await append(pipeline, topics.raw.bluepay, raw as SourceRecord)
  const [partition, offset] = skipped.split('/').slice(-2).map(Number) as [number, number]
  const group = groupId('normalizer', prefix)
  const inFlight = await account(pipeline)
  t.match(inFlight, { code: 0, document: { totals: { inFlight: { normalizer: 1 } } } })
  await admin.setOffsets({ groupId: group, topic: topics.raw.bluepay, partitions: [{ partition, offset: String(offset + 1) }] })

  const events = await readAll(topics.events)
  const copied = events.at(-1) as SourceRecord
  const copy = await append(pipeline, topics.events, copied)
  const nowhere = `${topics.raw.alipayplus}/${copied.partition}/999999`
  const phantom = await append(pipeline, topics.duplicates, { ...copied, headers: { [header.origin]: nowhere } })
  const { code, document } = await account(pipeline)
  t.equal(code, 1)
  t.match(document, { holds: false, totals: { missing: 1, twice: 1, strangeOrigins: 1 } })
  t.strictSame(
    document.problems.sort((a, b) => (a.problem < b.problem ? -1 : 1)),
    [
      { problem: 'missing', position: skipped, detail: document.problems[0]?.detail },
      { problem: 'strange-origin', position: phantom, detail: `its origin, ${nowhere}, is beyond the end of the raw topic` },
      { problem: 'twice', position: copied.headers[header.origin], detail: `ended as event, and again as event at ${copy}` },
    ],
  )

  // Deleted: the first outcomes of one partition, and the raw records of another.
  const deleteRecords = async (topic: string, partition: number, before: string) => {
    // kafkajs deletes only where it knows the leaders already.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: before }] })
  }
  const lost = events.filter((event) => event.partition === 0 && event.offset < 50)
  await deleteRecords(topics.events, 0, '50')
  const deleted = (await account(pipeline)).document
  t.strictSame(
    deleted.problems.flatMap(({ problem, position }) => (problem === 'missing' ? [position] : [])).sort(),
    [...lost.map(({ headers }) => headers[header.origin] as string), skipped].sort(),
  )
  t.ok(lost.length > 10)
  await deleteRecords(topics.raw.alipayplus, 1, '20')
  const expired = (await account(pipeline)).document
  t.match(expired.totals, { leftRetention: 20, outcomesOfLeftRecords: 20, raw: deleted.totals.raw - 20 })
  t.match(expired.totals, { missing: deleted.totals.missing, twice: 1, strangeOrigins: 1 })

  const facts = await openTopicFacts(kafka)
  t.teardown(facts.close)
  const cut = await takeCut(facts, { topics, prefix, now: Date.now() }, { from: undefined, to: undefined })
  cut.spans.set(topics.events, [{ partition: 0, from: 0, to: 60 }])
  const options = { kafka, topics, groupPrefix: prefix, maxProblems: 1, onProgress: () => {} }
  await t.rejects(readAccount(cut, options), {
    message: `${topics.events}/0: records left retention while they were read. Run it again`,
  })
}
