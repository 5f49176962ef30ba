import t from 'tap'
import { account, accountingLines, type Trace } from '../../deploy/local/accounting.ts'

const hourMs = 60 * 60 * 1000
const idA = 'a'.repeat(32)
const idB = 'b'.repeat(32)
const raw = (n: number): Trace => ({ kind: 'raw', position: `raw/0/${n}` })
const event = (n: number, eventId: string, at = 0): Trace => ({ kind: 'event', origin: `raw/0/${n}`, eventId, at })
const duplicate = (n: number, conflict = false): Trace => ({ kind: 'duplicate', origin: `raw/0/${n}`, conflict })
const deadLetter = (n: number): Trace => ({ kind: 'dead-letter', origin: `raw/0/${n}` })
const sync = (eventId: string, merchantId: string): Trace => ({
  kind: 'sync',
  syncId: `${eventId}.${merchantId}.shop`,
  merchantId,
})
const sent = (eventId: string, acknowledged = 1) => ({ outcome: 'event' as const, eventId, acknowledged })

const balanced = [raw(1), raw(2), raw(3), event(1, idA), duplicate(2, true), deadLetter(3), sync(idA, 'm1')]

t.test('raw records that each ended once are balanced', async (t) => {
  const accounting = account(balanced, [sent(idA, 2), { outcome: 'dead-letter', acknowledged: 1 }])
  t.match(accounting, { raw: 3, events: 1, duplicates: 1, conflicts: 1, deadLetters: 1, open: 0, changes: { sent: 1, found: 1 } })
  t.same(accounting.problems, [])
  t.same([...accounting.syncs], [['m1', 1]])
  t.equal(accountingLines(accounting)[0], 'raw 3 = events 1 + duplicates 1 + dead letters 1')
})

t.test('the order of reading does not matter', async (t) => {
  t.same(account(balanced.toReversed(), [sent(idA)]), account(balanced, [sent(idA)]))
})

const broken: [string, Trace[], RegExp][] = [
  ['a raw record that ended nowhere', [...balanced, raw(4)], /1 raw records ended nowhere, such as raw\/0\/4/],
  ['a raw record that ended twice', [...balanced, duplicate(1)], /1 raw records ended more than once, such as raw\/0\/1/],
  ['an origin that nobody wrote', [...balanced, deadLetter(9)], /1 origins are not in the raw topics, such as raw\/0\/9/],
  [
    'a second event of a change',
    [...balanced, raw(4), event(4, idA, hourMs)],
    /1 changes have more than one event, such as a{32}/,
  ],
  ['a sync that is there twice', [...balanced, sync(idA, 'm1')], /1 merchant syncs are there more often than their event/],
  ['a sync without an event', [...balanced, sync(idB, 'm1')], /1 merchant syncs are there more often than their event/],
  [
    'an event that merchant-sync gave up',
    [...balanced, { kind: 'lost-sync', origin: 'raw/0/1' }],
    /1 events became dead letters/,
  ],
]
for (const [what, traces, problem] of broken) {
  t.test(`${what} is found`, async (t) => {
    const { problems } = account(traces, [sent(idA)])
    t.equal(problems.length, 1)
    t.match(problems[0], problem)
  })
}

t.test('an acknowledged change without an event is found, an unacknowledged one is not missed', async (t) => {
  t.match(account(balanced, [sent(idA), sent(idB)]), {
    changes: { sent: 2, found: 1 },
    problems: [/1 acknowledged changes have no event/],
  })
  t.match(account(balanced, [sent(idA), sent(idB, 0)]), { changes: { sent: 1, found: 1 }, problems: [] })
})

t.test('beyond the window a repeat is an event again', async (t) => {
  t.same(account([...balanced, raw(4), event(4, idA, 73 * hourMs), sync(idA, 'm1')], [sent(idA)]).problems, [])
})

t.test('records that are still under way are open', async (t) => {
  t.equal(account([raw(1), raw(2), event(1, idA)], []).open, 1)
})
