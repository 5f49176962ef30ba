/**
 * Benchmarks do what they measure, in miniature. How fast is nobody's business here. Those that share their parts with one of these and take a minute are
 * left to `npm run bench -- --seconds 1 --repeat 1 --records 5000`, where whatever does not add up is an error too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { testStack } from '../support/topic-set.ts'
import { benches } from './benches.ts'

const tested = new Set(['gateway-cpu', 'publisher', 'drain', 'fan-out', 'claims'])
/** Most of the time goes into starting processes one after the other: two benchmarks at a time. */
t.jobs = 2
/** Services log whole milliseconds: a step may take none, and the rest beside it even less. */
const mayBeNone = /\/(step|waits)$/

for (const { name, run } of benches.filter(({ name }) => tested.has(name))) {
  t.test(`${name}: figures, each with as many values as its ceiling`, { buffered: true }, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'bench-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    const { figures, plots = [] } = await run({
      ...{ ...testStack(), dir, seconds: 1, repeat: 1, records: 2_000, say: () => {} },
      progress: () => ({ advance: () => {}, end: () => {} }),
      teardown: (handler) => t.teardown(handler),
    })
    t.ok(figures.length > 0)
    t.equal(new Set(figures.map((figure) => figure.name)).size, figures.length, 'names are unique')
    for (const { name: figure, values, ceiling, cpuUs = [] } of figures) {
      t.ok(values.length > 0, figure)
      t.equal((ceiling?.values ?? values).length, values.length, figure)
      for (const value of [...values, ...(ceiling?.values ?? []), ...cpuUs])
        t.ok((value > 0 || mayBeNone.test(figure)) && Number.isFinite(value), `${figure}: ${value}`)
    }
    for (const { title, x, series } of plots) for (const { y } of series) t.equal(y.length, x.values.length, title)
  })
}
