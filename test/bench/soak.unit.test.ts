import t from 'tap'
import { judgeSoak, type Soak, soakMarkdown, soakPage } from './soak-report.ts'
import type { Sample } from './soak-samples.ts'
import { judge, type Series } from './soak-verdict.ts'

const memory = (values: (number | null)[]): Series => ({ name: 'memory/gateway', kind: 'memory', unit: 'MiB', values })
const thirds = (first: number, middle: number, last: number) => [first, middle, last].flatMap((value) => Array(10).fill(value))

t.test('growth in the first third is warming up, afterwards it is not', async (t) => {
  t.match(judge(memory(thirds(60, 150, 150))), { first: 60, middle: 150, last: 150, flat: true })
  t.match(judge(memory(thirds(150, 150, 164))), { flat: false })
  t.match(judge(memory(thirds(150, 150, 90))), { flat: true }, 'shrinking is no growth')
})

t.test('a slow leak is found in half an hour, a jumpy heap is not one', async (t) => {
  const minutes = Array.from({ length: 360 }, (_, sample) => sample / 12)
  t.notOk(judge(memory(minutes.map((minute) => 200 + 2 * minute))).flat)
  t.ok(judge(memory(minutes.map((_, sample) => 200 + (sample % 7) * 10))).flat)
})

t.test('one slow sample is nothing, a third without any is not flat', async (t) => {
  const latency = (values: (number | null)[]): Series => ({ name: 'latency/p99', kind: 'latency', unit: 'ms', values })
  t.ok(judge(latency([...thirds(10, 10, 10).slice(0, -1), 5_000])).flat)
  t.notOk(judge(latency([...Array(20).fill(10), ...Array(10).fill(null)])).flat)
})

const sampleAt = (minute: number, handles: number): Sample => ({
  ...{ atMs: minute * 60_000, sent: minute * 6_000, p50: 4, p99: 12 },
  ...{ memoryMib: { gateway: 120 }, handles: { gateway: handles }, lag: { normalizer: 3 } },
})
const soak = (minutes: number, handlesAt: (minute: number) => number, holds = true): Soak => ({
  ...{ machine: 'a machine', commit: 'abc', startedAt: '2026-11-22T00:00:00.000Z', rate: 100, duplicates: 0.2, minutes },
  ...{ lastedMs: minutes * 60_000, accounts: { holds, lines: ['', 'raw 1 = events 1 + duplicates 0 + dead letters 0'] } },
  samples: Array.from({ length: minutes * 3 }, (_, index) => sampleAt(index / 3, handlesAt(index / 3))),
})

t.test('it holds when the accounts do and nothing grows', async (t) => {
  t.match(judgeSoak(soak(30, () => 40)), { judged: true, flat: true, holds: true })
  t.match(judgeSoak(soak(30, (minute) => 40 + minute)), { judged: true, flat: false, holds: false })
  t.match(judgeSoak(soak(30, () => 40, false)), { flat: true, holds: false })
  t.match(judgeSoak(soak(2, (minute) => 40 + 10 * minute)), { judged: false, holds: true }, 'too short to judge')
})

t.test('the reports name what grows, and the page holds every sample', async (t) => {
  const grown = soak(30, (minute) => 40 + minute)
  t.match(soakMarkdown(grown), /`handles\/gateway` \| .* \| \*\*grows\*\* \|/)
  t.match(soakMarkdown(grown), /Not flat: handles\/gateway\./)
  t.match(soakMarkdown(grown), /raw 1 = events 1/)
  const page = soakPage(grown)
  t.match(page, /<title>Flat over time<\/title>/)
  t.match(page, /grows: middle third/)
  t.ok(page.includes(JSON.stringify(grown.samples.map(({ handles }) => handles.gateway))))
})
