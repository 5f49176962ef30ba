import fc from 'fast-check'
import t from 'tap'
import type { Verdict } from '../../shared/deduplicate/decide.ts'
import type { Occurrence } from '../../shared/deduplicate/occurrence.ts'
import { createRule } from '../../shared/deduplicate/rule.ts'

const windowMs = 100
const judgeAll = (log: Occurrence[]): Verdict[] => {
  const rule = createRule(windowMs)
  return log.map(rule.judge)
}
const log = (...entries: Omit<Occurrence, 'offset'>[]): Occurrence[] => entries.map((entry, offset) => ({ offset, ...entry }))
const kinds = (verdicts: Verdict[]) => verdicts.map(({ kind, holder }) => `${kind} of ${holder}`)

t.test('a repeat within the window is a duplicate of the first of its chain, and keeps the id alive', async (t) => {
  const copy = { eventId: 'a', contentHash: 'h' }
  const judged = judgeAll(
    log({ timestamp: 0, ...copy }, { timestamp: 100, ...copy }, { timestamp: 200, ...copy }, { timestamp: 301, ...copy }),
  )
  t.strictSame(kinds(judged), ['new of 0', 'duplicate of 0', 'duplicate of 0', 'new of 3'])
})

t.test('other content is a conflict with the holder, not with the copy before', async (t) => {
  const of = (contentHash: string) => ({ timestamp: 1, eventId: 'a', contentHash })
  t.strictSame(kinds(judgeAll(log(of('h'), of('i'), of('h')))), ['new of 0', 'conflict of 0', 'duplicate of 0'])
  const long = '0123456789abcdef'
  t.strictSame(
    kinds(judgeAll(log(of(`${long}1`), of(`${long}2`)))),
    ['new of 0', 'duplicate of 0'],
    'by half a hash, as in Redis',
  )
})

t.test('time is that of the log: a record without event moves it, one from the past does not', async (t) => {
  const copy = { eventId: 'a', contentHash: 'h' }
  t.strictSame(kinds(judgeAll(log({ timestamp: 0, ...copy }, { timestamp: 101 }, { timestamp: 50, ...copy }))), [
    ...['new of 0', 'none of 1', 'new of 2'],
  ])
})

t.test('a creation is late if the cancellation of its token came before it, within the window', async (t) => {
  const created = (timestamp: number, eventId: string) => ({ timestamp, eventId, contentHash: 'h', cancelId: 'c' })
  const canceled = { timestamp: 0, eventId: 'c', contentHash: 'h' }
  const judged = judgeAll(log(created(0, 'a'), canceled, created(100, 'b'), created(101, 'd')))
  t.strictSame(
    judged.map(({ late }) => late),
    [false, false, true, false],
  )
})

const ids = ['a', 'b', 'c', 'd']
const logs = fc
  .array(
    fc.record({
      step: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -120, max: 120 }), fc.constant(150)),
      id: fc.constantFrom(...ids),
      cancels: fc.boolean(),
    }),
    { minLength: 10, maxLength: 60 },
  )
  .map((entries) => {
    let timestamp = 10_000
    return entries.map(({ step, id, cancels }, offset): Occurrence => {
      timestamp += step
      return { offset, timestamp, eventId: id, contentHash: 'h', ...(cancels && id !== 'd' && { cancelId: 'd' }) }
    })
  })

t.test('begun one window early, verdicts are those of the whole log', async (t) => {
  const shown = ({ kind, late }: Verdict) => `${kind}${late ? ' late' : ''}`
  let begunLater = 0
  fc.assert(
    fc.property(logs, fc.nat(), (log, from) => {
      const begin = from % log.length
      const early = log.findIndex(({ timestamp }) => timestamp >= (log[begin] as Occurrence).timestamp - windowMs)
      if (early > 0) begunLater++
      const [whole, part] = [judgeAll(log).slice(begin), judgeAll(log.slice(early)).slice(begin - early)]
      return part.map(shown).join() === whole.map(shown).join()
    }),
    { numRuns: 2_000 },
  )
  t.ok(begunLater > 500, `${begunLater} of them did not begin at the beginning`)
})
