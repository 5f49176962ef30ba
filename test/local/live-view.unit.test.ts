import t from 'tap'
import type { Counts } from '../../deploy/local/follow-topics.ts'
import { mask, plainLine, ratesOf, redraw, viewLines } from '../../deploy/local/live-view.ts'

const counts: Counts = {
  ...{ raw: 12_345, normalized: 12_300, events: 10_000, duplicates: 2_000, deadLetters: 300, syncs: 11_000, states: 9_500 },
  lag: { normalizer: 45, deduplicator: 0, merchantSync: 2, tokenStates: 1 },
}
const event = {
  ...{ at: Date.UTC(2026, 0, 2, 3, 4, 5), type: 'token.created', source: '/alipayplus/218823863726000000001' },
  ...{ eventId: '37e47f7ff17a3ead2dd59a21e5c36e22', tokenRef: '4249b300972443ba78c6b74d05e5729e' },
}
const shown = {
  counts,
  rates: { raw: 20, normalized: 19, events: 16, syncs: 18 },
  lastEvents: [event],
  upSeconds: 3725,
  note: '',
}
const screen = { columns: 120, rows: 40 }

t.test('ids are masked: enough to tell two apart, too little to look one up', async (t) => {
  const text = viewLines(shown, screen).join('\n')
  t.match(text, '03:04:05 token.created               alipayplus  2188…0001    event 37e4…6e22 token 4249…729e')
  for (const id of [event.eventId, event.tokenRef, '218823863726000000001']) t.notOk(text.includes(id))
  t.equal(mask('demo-ph'), 'demo-ph')
})

t.test('the block never outgrows the screen', async (t) => {
  const many = { ...shown, lastEvents: Array.from({ length: 20 }, () => event) }
  for (const rows of [12, 14, 24, 60]) t.ok(viewLines(many, { columns: 80, rows }).length < rows, `${rows} rows`)
  for (const line of viewLines(many, { columns: 40, rows: 30 })) t.ok(line.length < 40)
})

t.test('a redraw overwrites each line and blanks none first', async (t) => {
  t.equal(redraw(0, ['a', 'b']), '\x1b[?25l\ra\x1b[K\nb\x1b[K\n\x1b[J')
  t.equal(redraw(2, ['c']), '\x1b[?25l\x1b[2A\rc\x1b[K\n\x1b[J')
})

t.test('without a terminal it is one plain line', async (t) => {
  const line = 'raw=12345 normalized=12300 events=10000 duplicates=2000 dead-letters=300 syncs=11000 states=9500 lag=48 rate=20/s'
  t.equal(plainLine(shown), `3725s ${line}`)
  t.equal(plainLine({ ...shown, note: 'sending 9' }), `3725s ${line} (sending 9)`)
})

t.test('rates are per second and never negative', async (t) => {
  const later = { ...counts, raw: counts.raw + 50, syncs: counts.syncs - 1 }
  t.same(ratesOf(counts, later, 2), { raw: 25, normalized: 0, events: 0, syncs: 0 })
})
