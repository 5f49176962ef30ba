import t from 'tap'
import { accountingLines, checkChanges, type OperatorAccount, problemsOf, type Trace } from '../../deploy/local/accounting.ts'

const hourMs = 60 * 60 * 1000
const idA = 'a'.repeat(32)
const idB = 'b'.repeat(32)
const event = (eventId: string, at = 0): Trace => ({ kind: 'event', eventId, at })
const sync = (eventId: string, merchantId: string): Trace => ({ kind: 'sync', syncId: `${eventId}.${merchantId}.shop` })
const sent = (eventId: string, acknowledged = 1) => ({ outcome: 'event' as const, eventId, acknowledged })

const good = [event(idA), sync(idA, 'm1')]
const changes = checkChanges(good, [sent(idA, 2), { outcome: 'dead-letter', acknowledged: 1 }])
const account: OperatorAccount = {
  totals: {
    ...{ raw: 3, events: 1, duplicates: 1, conflicts: 1, deadLetters: 1, missing: 0, twice: 0, strangeOrigins: 0 },
    ...{ inFlight: { normalizer: 0, deduplicator: 0 }, beforeMerchantSync: 0 },
  },
  problems: [],
  merchantSync: { syncs: { m1: 1 }, deadLetters: { count: 0 } },
}

t.test('changes with one event each, in whatever order it is read, are as they should be', async (t) => {
  t.strictSame(changes, { sent: 1, found: 1, problems: [] })
  t.strictSame(checkChanges(good.toReversed(), [sent(idA)]), changes)
  t.strictSame(accountingLines(account, changes), [
    'raw 3 = events 1 + duplicates 1 + dead letters 1',
    '1 of the duplicates had other content than the event that stands (conflicts)',
    '1 of 1 distinct changes sent have exactly one event',
    'Merchant syncs:',
    '  m1: 1',
  ])
})

const broken: [string, Trace[], RegExp][] = [
  ['a second event of a change', [...good, event(idA, hourMs)], /1 changes have more than one event, such as a{32}/],
  ['a sync that is there twice', [...good, sync(idA, 'm1')], /1 merchant syncs are there more often than their event/],
  ['a sync without an event', [...good, sync(idB, 'm1')], /1 merchant syncs are there more often than their event/],
]
for (const [what, traces, problem] of broken) {
  t.test(`${what} is found`, async (t) => {
    const { problems } = checkChanges(traces, [sent(idA)])
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
  })
}

t.test('an acknowledged change without an event is found, an unacknowledged one is not missed', async (t) => {
  t.match(checkChanges(good, [sent(idA), sent(idB)]), {
    ...{ sent: 2, found: 1 },
    problems: [/1 acknowledged changes have no event/],
  })
  t.strictSame(checkChanges(good, [sent(idA), sent(idB, 0)]), changes)
})

t.test('beyond the window a repeat is an event again', async (t) => {
  t.strictSame(checkChanges([...good, event(idA, 73 * hourMs), sync(idA, 'm1')], [sent(idA)]), changes)
})

const wrong: [string, object, RegExp][] = [
  [
    'what the operator found',
    { problems: [{ problem: 'missing', position: 'raw/0/4', detail: 'why' }] },
    /^missing: raw\/0\/4: why$/,
  ],
  ['what it did not list', { totals: { ...account.totals, twice: 2 } }, /^2 more of this kind/],
  ['what is still in flight', { totals: { ...account.totals, beforeMerchantSync: 1 } }, /^1 records are still in flight$/],
  [
    'what merchant-sync gave up',
    { merchantSync: { syncs: {}, deadLetters: { count: 1 } } },
    /^1 events became dead letters of merchant-sync$/,
  ],
]
for (const [what, change, problem] of wrong) {
  t.test(`${what} is a problem`, async (t) => {
    const problems = problemsOf({ ...account, ...change }, changes)
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
  })
}
