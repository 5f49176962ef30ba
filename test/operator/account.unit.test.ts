import t from 'tap'
import { createAccounting, type Problem } from '../../services/operator/account/account.ts'
import type { Cut, RawRange } from '../../services/operator/account/cut.ts'
import { takeCut } from '../../services/operator/account/cut.ts'
import { inWaves } from '../../services/operator/account/read-account.ts'
import { reportAccount } from '../../services/operator/account/report.ts'
import { pointInTime } from '../../services/operator/point-in-time.ts'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import type { TopicFacts } from '../../shared/kafka/topic-facts.ts'

const topics = topicNames()
const rawTopic = topics.raw.bluepay
const origin = (offset: number) => ({ [header.origin]: `${rawTopic}/0/${offset}` })
const record = (topic: string, offset: number, headers: Record<string, string> = {}, value = '{}'): SourceRecord => ({
  ...{ topic, partition: 0, offset, timestamp: 0, key: null, value: Buffer.from(value), headers },
})
const raw = (offset: number, headers = {}) => record(rawTopic, offset, headers)
const event = (offset: number, from: number) => record(topics.events, offset, origin(from))
const duplicate = (offset: number, from: number, value = '{"conflict":false}') =>
  record(topics.duplicates, offset, origin(from), value)
const dead = (offset: number, from: number, headers = {}) =>
  record(topics.deadLetters.normalizer, offset, { ...origin(from), ...headers })
const normalized = (offset: number, from: number) => record(topics.normalized, offset, origin(from))

const wholeRange: RawRange = { topic: rawTopic, partition: 0, low: 0, from: 0, to: 5, end: 5 }
type Committed = { normalizer?: number; merchantSync?: number }

/** Accounts for these records; raw records 0 to 4 are there unless others are given. */
function accountFor(records: SourceRecord[], { range = {}, committed = {} }: { range?: object; committed?: Committed } = {}) {
  const rawRange = { ...wholeRange, ...range }
  const cut: Cut = {
    raw: [rawRange],
    spans: new Map(),
    committed: {
      normalizer: new Map([[`${rawTopic}/0`, committed.normalizer ?? 5]]),
      deduplicator: new Map(),
      'merchant-sync': new Map([[`${topics.events}/0`, committed.merchantSync ?? 100]]),
    },
    uncommitted: [],
  }
  const accounting = createAccounting(topics, cut, 3)
  accounting.open(cut.raw)
  for (let offset = rawRange.from; offset < rawRange.to; offset++) {
    const own = records.find((one) => one.topic === rawTopic && one.offset === offset)
    accounting.add(own ?? raw(offset))
  }
  for (const one of records.filter(({ topic }) => topic !== rawTopic)) accounting.add(one)
  accounting.close()
  const account = accounting.result()
  const { fulfilled, document, text } = reportAccount(account, { at: '2026-01-31T00:00:00.000Z', uncommitted: [] })
  return { holds: fulfilled, row: account.rows[0], problems: account.problems, account, document, text }
}
const balanced = [event(0, 0), duplicate(0, 1, '{"conflict":true}'), dead(0, 2), event(1, 3), duplicate(1, 4)]

t.test('raw records that each ended once hold, in whatever order their outcomes are read', async (t) => {
  for (const records of [balanced, balanced.toReversed()]) {
    const { holds, row, problems, text } = accountFor(records)
    t.ok(holds)
    t.match(row, { raw: 5, events: 2, duplicates: 2, conflicts: 1, deadLetters: 1, missing: 0, twice: 0 })
    t.strictSame(problems, [])
    t.match(text, 'raw 5 = events 2 + duplicates 2 + dead letters 1 + in flight 0\n')
    t.match(text, /The account holds\.$/)
  }
})

const broken: [string, SourceRecord[], Partial<Problem>][] = [
  ['a raw record without an outcome', balanced.slice(1), { problem: 'missing', position: `${rawTopic}/0/0` }],
  [
    'a second outcome',
    [...balanced, duplicate(7, 0)],
    {
      problem: 'twice',
      position: `${rawTopic}/0/0`,
      detail: `ended as event, and again as duplicate at ${topics.duplicates}/0/7`,
    },
  ],
  ['an origin beyond the raw topic', [...balanced, event(9, 5)], { problem: 'strange-origin', position: `${topics.events}/0/9` }],
  [
    'an origin in another topic',
    [...balanced, record(topics.events, 9, { [header.origin]: 'elsewhere/0/1' })],
    { problem: 'strange-origin', position: `${topics.events}/0/9` },
  ],
  [
    'an origin in another partition',
    [...balanced, { ...event(9, 0), partition: 1 }],
    { problem: 'strange-origin', position: `${topics.events}/1/9` },
  ],
  [
    'no origin at all',
    [...balanced, record(topics.deadLetters.deduplicator, 3)],
    { problem: 'strange-origin', position: `${topics.deadLetters.deduplicator}/0/3` },
  ],
]
for (const [what, records, problem] of broken) {
  t.test(`${what} is found, by its exact position`, async (t) => {
    const { holds, problems, text, document } = accountFor(records)
    t.notOk(holds)
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
    t.match(text, `PROBLEM: ${problem.problem}: ${problem.position}: `)
    t.match(text, /The account does not hold\.$/)
    t.match(document, { holds: false, problems: [problem] })
  })
}

t.test('all problems are counted, and as many listed as asked for', async (t) => {
  const { row, problems, text } = accountFor([])
  t.match(row, { raw: 5, missing: 5 })
  t.strictSame(
    problems.map(({ position }) => position),
    [0, 1, 2].map((offset) => `${rawTopic}/0/${offset}`),
  )
  t.match(text, /raw 5 ≠ .*\n/)
  t.match(text, '2 more; --json has their positions')
})

t.test('what a stage has not committed is in flight there, and not missing', async (t) => {
  const records = [event(0, 0), normalized(6, 1), event(1, 2)]
  const { holds, row, text } = accountFor(records, { committed: { normalizer: 3, merchantSync: 1 } })
  t.ok(holds)
  t.match(row, { events: 2, inFlight: { normalizer: 2, deduplicator: 1 }, beforeMerchantSync: 1 })
  t.match(text, 'raw 5 = events 2 + duplicates 0 + dead letters 0 + in flight 3\n')
})

t.test('an outcome that came after the committed offsets were asked for counts as what it is', async (t) => {
  t.match(accountFor([...balanced, normalized(6, 4)], { committed: { normalizer: 1 } }).row, {
    events: 2,
    duplicates: 2,
    inFlight: { normalizer: 0, deduplicator: 0 },
  })
})

t.test('without a committed offset nothing is called missing', async (t) => {
  t.match(accountFor([], { committed: { normalizer: -1 } }).row, { inFlight: { normalizer: 5 }, missing: 0 })
})

t.test('what left retention is said, and neither missing nor strange', async (t) => {
  const { holds, row, account, text } = accountFor(balanced, { range: { low: 2, from: 2 } })
  t.ok(holds)
  t.match(row, { raw: 3, events: 1, duplicates: 1, deadLetters: 1 })
  t.equal(account.outcomesOfLeftRecords, 2)
  t.match(text, '2 raw records left retention, and 2 of their outcomes are still there.')
})

t.test('what lies outside the range is not counted', async (t) => {
  const { holds, row, text } = accountFor(balanced, { range: { from: 1, to: 3 } })
  t.ok(holds)
  t.match(row, { raw: 2, events: 0, duplicates: 1, deadLetters: 1 })
  t.match(text, '1 raw records are before the range')
})

t.test('records that were sent back or replayed are accounted for like any other, and counted', async (t) => {
  const sentBack = { [header.redriveOf]: `${topics.deadLetters.normalizer}/0/0` }
  const records = [...balanced.slice(0, 4), raw(3, { [header.replayId]: 'r1' }), raw(4, sentBack), dead(1, 4, sentBack)]
  const { holds, row, text } = accountFor(records)
  t.ok(holds)
  t.match(row, { raw: 5, redriven: 1, replayed: 1, deadLetters: 2 })
  t.match(text, '1 of the raw records are dead letters sent back.')

  const later = { [header.origin]: `${topics.normalized}/0/7`, [header.redriveOf]: `${topics.deadLetters.deduplicator}/0/0` }
  const outcomes = [topics.events, topics.deadLetters.deduplicator].map((topic) => record(topic, 5, later))
  const again = accountFor([
    ...balanced,
    ...outcomes,
    record(topics.duplicates, 5, { [header.origin]: `${topics.normalized}/0/8` }),
  ])
  t.ok(again.holds)
  t.match(again.document, { redrivenLater: 3, totals: { events: 2, duplicates: 2, deadLetters: 1 } })
  t.notOk(accountFor([...balanced, record(topics.events, 5, { [header.origin]: `${topics.normalized}/0/7` })]).holds)
})

t.test('merchant-sync is reported: syncs by merchant, and events that it gave up', async (t) => {
  const sync = (from: number) => record(topics.syncs, from, { ...origin(from), [header.source]: '/merchants/M%201' })
  const lost = record(topics.deadLetters['merchant-sync'], 4, origin(3))
  const { holds, document, text } = accountFor([...balanced, sync(0), sync(3), { ...sync(9), partition: 3 }, lost])
  t.ok(holds)
  t.match(document, {
    merchantSync: {
      syncs: { 'M 1': 2 },
      deadLetters: { count: 1, positions: [`${topics.deadLetters['merchant-sync']}/0/4`] },
    },
  })
  t.match(text, 'Merchant syncs of these events: M 1 2.')
})

t.test('partitions share a wave while their marks fit', async (t) => {
  const range = (partition: number, to: number): RawRange => ({ ...wholeRange, partition, to })
  const ranges = [range(0, 40), range(1, 50), range(2, 200), range(3, 60), { ...range(0, 20), topic: 'other' }]
  t.strictSame(
    inWaves(ranges, 100).map((wave) => wave.map(({ partition }) => partition)),
    [[0, 0], [1], [2], [3]],
  )
  t.strictSame(
    inWaves(ranges, 1_000).map((wave) => wave.length),
    [5],
  )
})

t.test('the cut asks for committed offsets, then for ends, each topic before the topics it is made from', async (t) => {
  const asked: string[] = []
  const note = <T>(what: string, topic: string, answer: T) => {
    asked.push(`${what} ${topic}`)
    return new Map([[0, answer]])
  }
  const facts = {
    allBounds: async (topic: string) => note('end', topic, { low: 10, high: 90 }),
    allOffsetsAt: async (_topic: string, timestamp: number) => new Map([[0, timestamp === 7_200_000 ? 60 : 50]]),
    allCommitted: async (_group: string, topic: string) => note('committed', topic, 70),
    retentionMs: async () => Number.POSITIVE_INFINITY,
  } as unknown as TopicFacts
  const hour = 3_600_000
  const cut = await takeCut(facts, { topics, prefix: '', now: 9 * hour }, { from: 3 * hour, to: 2 * hour })
  const at = (what: string, topic: string) => asked.indexOf(`${what} ${topic}`)
  const lastCommitted = Math.max(...asked.map((line, index) => (line.startsWith('committed') ? index : -1)))
  for (const topic of [topics.events, topics.duplicates, topics.deadLetters.normalizer, topics.deadLetters.deduplicator]) {
    t.ok(at('end', topic) > lastCommitted, `${topic} after the committed offsets`)
    t.ok(at('end', topics.normalized) > at('end', topic), `${topic} before the normalized topic`)
  }
  for (const topic of Object.values(topics.raw)) t.ok(at('end', topic) > at('end', topics.normalized))

  t.match(cut.raw[0], { low: 10, from: 50, to: 60, end: 90 })
  t.strictSame(cut.spans.get(topics.events), [{ partition: 0, from: 60, to: 90 }], 'an hour of slack, and to the end')
  t.strictSame(cut.spans.get(topics.normalized), [{ partition: 0, from: 70, to: 90 }], 'what the deduplicator has before it')
})

t.test('raw records older than their outcomes are kept are not judged', async (t) => {
  const hour = 3_600_000
  const times: number[] = []
  const facts = {
    allBounds: async () => new Map([[0, { low: 0, high: 9 }]]),
    async allOffsetsAt(_topic: string, timestamp: number) {
      times.push(timestamp)
      return new Map([[0, 4]])
    },
    allCommitted: async () => new Map([[0, 9]]),
    retentionMs: async (topic: string) => (topic === topics.duplicates ? 48 * hour : Number.POSITIVE_INFINITY),
  } as unknown as TopicFacts
  const cut = await takeCut(facts, { topics, prefix: '', now: 100 * hour }, { from: undefined, to: undefined })
  t.match(cut.raw[0], { low: 0, from: 4, to: 9 })
  t.strictSame([...new Set(times)].sort(), [52 * hour, 53 * hour])
})

t.test('times are durations ago, dates, or times with a zone', async (t) => {
  const now = Date.UTC(2026, 0, 31)
  t.equal(pointInTime('90m')(now), now - 90 * 60_000)
  t.equal(pointInTime('7d')(now), now - 7 * 86_400_000)
  t.equal(pointInTime('2026-01-30')(now), Date.UTC(2026, 0, 30))
  t.equal(pointInTime('2026-01-30T10:00:00+07:00')(now), Date.UTC(2026, 0, 30, 3))
  for (const wrong of ['yesterday', '2h30m', '-1h', '2026-01-30T10:00:00', '2026-13-01', ''])
    t.throws(() => pointInTime(wrong), /A time is needed/, wrong)
})
