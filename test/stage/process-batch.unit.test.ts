import t from 'tap'
import { deadLetter, drop, emit, type Outcome, type SourceRecord } from '../../shared/stage/outcome.ts'
import { processBatch } from '../../shared/stage/process-batch.ts'
import type { Stage } from '../../shared/stage/stage.ts'
import { checkContinuity, type Pending, takeBatch } from '../../shared/stage/take-batch.ts'
import { inRounds } from '../../shared/stage/transaction.ts'

const record = (overrides: Partial<SourceRecord> = {}): SourceRecord => ({
  topic: 'raw',
  partition: 3,
  offset: 7,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('key'),
  value: Buffer.from('value'),
  headers: { account: 'a' },
  ...overrides,
})

const stageOf = (outcomes: Outcome[]): Stage => ({
  name: 'normalizer',
  sources: ['raw'],
  outputs: ['out'],
  deadLetters: 'dead',
  step: { decide: async () => outcomes },
})
const batchOf = (records: SourceRecord[]) => ({ topic: 'raw', partition: 3, records, begin: 7, end: 7 + records.length })
const failedAt = '2026-01-01T00:00:00.000Z'

t.test('an emitted record keeps its source partition and timestamp unless it names another partition', async (t) => {
  const written = [
    { topic: 'out', key: 'k', value: 'v', headers: {} },
    { topic: 'out', partition: 5, key: 'k', value: 'v', headers: {} },
  ]
  const { outputs, counts } = await processBatch(stageOf([emit(written, { syncs: 2 })]), batchOf([record()]), failedAt)
  t.strictSame(
    outputs.map(({ partition, timestamp }) => [partition, timestamp]),
    [
      [3, '1700000000000'],
      [5, '1700000000000'],
    ],
  )
  t.strictSame(counts, { emitted: 1, syncs: 2 })
})

t.test('a dead letter keeps key, value and headers and says where and why it fell out', async (t) => {
  const { outputs, counts } = await processBatch(
    stageOf([deadLetter('not-json', 'the body is not JSON')]),
    batchOf([record()]),
    failedAt,
  )
  t.strictSame(outputs, [
    {
      topic: 'dead',
      partition: 3,
      key: Buffer.from('key'),
      value: Buffer.from('value'),
      timestamp: '1700000000000',
      headers: {
        account: 'a',
        origin: 'raw/3/7',
        'dlq-stage': 'normalizer',
        'dlq-reason': 'not-json',
        'dlq-detail': 'the body is not JSON',
        'dlq-original-topic': 'raw',
        'dlq-original-partition': '3',
        'dlq-original-offset': '7',
        'dlq-failed-at': failedAt,
      },
    },
  ])
  t.strictSame(counts, { deadLetters: 1 })
})

t.test('a dead letter of a later stage keeps the origin it came with', async (t) => {
  const source = record({ headers: { origin: 'notifications/1/2' } })
  const { outputs } = await processBatch(stageOf([deadLetter('not-an-event', 'x')]), batchOf([source]), failedAt)
  t.equal(outputs[0]?.headers.origin, 'notifications/1/2')
})

t.test('a dropped record writes nothing and is counted', async (t) => {
  t.strictSame(await processBatch(stageOf([drop('no-subscription')]), batchOf([record()]), failedAt), {
    outputs: [],
    counts: { dropped: 1 },
  })
})

t.test('a step that forgets a record is an error, not a loss', async (t) => {
  await t.rejects(
    processBatch(stageOf([drop('x')]), batchOf([record(), record({ offset: 8 })]), failedAt),
    /decided about 1 of 2/,
  )
})

t.test('outputs beyond what a partition may take at once go into further sends, in order', (t) => {
  const big = (n: number, partition: number) => ({
    topic: 'out',
    partition,
    key: String(n),
    value: 'x'.repeat(400_000),
    headers: {},
    timestamp: '1',
  })
  const rounds = inRounds([big(1, 0), big(2, 0), big(3, 1), big(4, 0), big(5, 0), big(6, 0)])
  const keys = rounds.map((round) => round.flatMap(({ messages }) => messages.map(({ key, partition }) => `${partition}:${key}`)))
  t.strictSame(keys, [['0:1', '0:2', '1:3'], ['0:4', '0:5'], ['0:6']])
  t.strictSame(inRounds([]), [], 'nothing to write is no send')
  t.end()
})

const message = (offset: number) => ({
  offset: String(offset),
  timestamp: '1',
  key: null,
  value: null,
  headers: {},
  attributes: 0,
})
const pendingOf = (offsets: number[], end: number): Pending => ({
  fetched: {
    topic: 'raw',
    partition: 0,
    messages: offsets.map(message) as never,
    from: offsets[0] ?? 0,
    end,
    lag: 0,
    resolve: () => {},
  },
  next: 0,
  done: () => {},
})

t.test('a batch begins at the committed offset and ends past the control records of its fetch', (t) => {
  const taken = takeBatch(pendingOf([5, 6, 7], 9), 6, { decide: async () => [] })
  t.strictSame(
    taken?.batch.records.map(({ offset }) => offset),
    [6, 7],
    'what is committed is not taken again',
  )
  t.strictSame([taken?.batch.begin, taken?.batch.end], [6, 9])
  t.equal(takeBatch(pendingOf([5, 6], 7), 7, { decide: async () => [] }), undefined, 'all committed: nothing to take')
  t.end()
})

t.test('a step may take less; the batch then ends after its last record', (t) => {
  const taken = takeBatch(pendingOf([5, 6, 7], 9), 5, { decide: async () => [], take: () => 2 })
  t.strictSame([taken?.batch.records.length, taken?.batch.end, taken?.last.offset], [2, 7, '6'])
  t.end()
})

t.test('continuity: a gap that retention made, or an offset that went back, stops with the range', async (t) => {
  const admin = (low: number) =>
    ({ fetchTopicOffsets: async () => [{ partition: 0, low: String(low), high: '99', offset: '99' }] }) as never
  const { fetched } = pendingOf([20], 21)
  await t.rejects(checkContinuity(admin(20), fetched, 10), /raw\/0: offsets 10 to 19 left retention/)
  await t.rejects(checkContinuity(admin(0), fetched, -1), /committed offset of raw\/0 is gone/)
  await t.rejects(checkContinuity(admin(0), fetched, 10, 15), /went back from 15 to 10/)
  await t.resolves(checkContinuity(admin(0), fetched, 10, 10), 'a gap of control records is none')
})
