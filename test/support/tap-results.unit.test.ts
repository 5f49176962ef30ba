import t from 'tap'
import { tapFailures, tapFileResults, tapTotals, totalsLine } from './tap-results.ts'

const finished = `TAP version 14
1..3
# Subtest: test/a.test.ts
    ok 1 - test/inner.test.ts # time=1ms
    1..1
ok 1 - test/a.test.ts # time=3011.591ms
  ---
  file: ok 9 - test/yaml.test.ts
  ...

not ok 2 - test/b.test.ts # time=12.87ms
ok 3 - test/empty.test.ts # SKIP no tests found

# { total: 9, pass: 3, fail: 3, todo: 1, skip: 2 }
# time=1000.89ms
`

t.test('the totals are those that tap wrote last', async (t) => {
  t.same(tapTotals(finished), { passed: 3, failed: 3, skipped: 3 })
  t.same(tapTotals('# { total: 2, pass: 2 }\n'), { passed: 2, failed: 0, skipped: 0 })
})

t.test('a run that was cut off has no totals', async (t) => {
  t.equal(tapTotals(finished.slice(0, finished.indexOf('# {'))), undefined)
})

t.test('each file counts once, by the line at the left margin', async (t) => {
  t.same(tapFileResults(finished), [
    { file: 'test/a.test.ts', ok: true, empty: false, ms: 3011.591 },
    { file: 'test/b.test.ts', ok: false, empty: false, ms: 12.87 },
    { file: 'test/empty.test.ts', ok: true, empty: true, ms: 0 },
  ])
})

t.test('a file that failed says which assertions, and nothing of what went well or only sums up', async (t) => {
  const failed = `# Subtest: test/a.test.ts
    # uncaught: Error: outside of any test
    # Subtest: one
        ok 1 - fine
        not ok 2 - numbers
          ---
          compare: ===
          ...
        1..2
    not ok 1 - one # time=15.682ms
      ---
      at: somewhere
      ...
    not ok 2 - later
      ---
      tapCaught: uncaughtException
      ...
    1..2
not ok 1 - test/a.test.ts # time=432.679ms
`
  const said = tapFailures(failed, 'test/a.test.ts')
  for (const part of ['not ok 2 - numbers', 'compare: ===', 'not ok 2 - later', 'uncaughtException', 'outside of any test'])
    t.match(said, part)
  for (const part of ['fine', 'one #', 'somewhere', 'test/a.test.ts']) t.notMatch(said, part)
  t.equal(tapFailures(failed, 'test/b.test.ts'), '')
})

t.test('the closing line names skipped tests only where there are any', async (t) => {
  t.equal(totalsLine({ passed: 4, failed: 0, skipped: 0 }), '4 passed, 0 failed')
  t.equal(totalsLine({ passed: 4, failed: 1, skipped: 2 }), '4 passed, 1 failed, 2 skipped')
})
