import t from 'tap'
import { journeyFigures, journeysOf } from './journeys.ts'
import type { Hop, Seen } from './observer-worker.ts'
import type { Sent } from './open-loop-worker.ts'

const sent = (eventId: string, dueAt: number): Sent => ({ eventId, dueAt, sentAt: dueAt + 1, acknowledgedAt: dueAt + 5 })
const seen = (hop: Hop, origin: string, id: string, seenAt: number): Seen => ({ hop, origin, id, keptAt: 1_004, seenAt })

/** The change `a` told twice: the copy was normalized too, and only the record at raw/0/0 became the event. */
const requests = [sent('a', 1_020), sent('a', 1_000)]
const way = [
  seen('normalized', 'raw/0/0', 'a', 1_020),
  seen('normalized', 'raw/0/1', 'a', 1_030),
  seen('events', 'raw/0/0', 'a', 1_040),
  seen('syncs', 'raw/0/0', 'a.merchant.all', 1_060),
]

t.test('a journey runs from the moment of the first request to the sync, along the record that became the event', async (t) => {
  t.strictSame(journeysOf(requests, way), [
    { ...sent('a', 1_000), keptAt: 1_004, normalizedAt: 1_020, eventAt: 1_040, syncAt: 1_060 },
  ])
})

t.test('what never came, or came twice, is no journey', async (t) => {
  t.throws(() => journeysOf([...requests, sent('b', 1_001)], way), /b never came/)
  const without = (hop: Hop) => way.filter((one) => one.hop !== hop)
  t.throws(() => journeysOf(requests, without('syncs')), /its sync never did/)
  t.throws(() => journeysOf(requests, [...way, seen('events', 'raw/0/1', 'a', 1_050)]), /came twice/)
  t.throws(() => journeysOf(requests, [...way, seen('syncs', 'raw/0/0', 'a.merchant.all', 1_070)]), /1 syncs came twice/)
})

t.test('the parts of the way add up to the whole', async (t) => {
  const batch = { records: 1, begunAt: 0, committedAt: 1, stepMs: 2, transactionMs: 7 }
  const measured = {
    journeys: journeysOf(requests, way),
    batches: { normalizer: [batch], deduplicator: [batch], 'merchant-sync': [batch] },
  }
  const figures = journeyFigures('rate', [measured], { p50: [], p99: [] })
  const figure = (name: string) => figures.find(({ name: named }) => named === `rate/${name}`)?.values[0] as number
  t.equal(figure('p50'), 60)
  t.equal(figure('raw') + figure('normalized') + figure('event') + figure('sync'), 60)
  t.equal(figure('normalized/step') + figure('normalized/transaction') + figure('normalized/waits'), figure('normalized'))
})
