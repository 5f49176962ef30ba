import t from 'tap'
import { createRefusalLog } from '../../services/gateway/refusal-log.ts'
import type { Log, LogFields } from '../../shared/runtime/log.ts'

t.test('a flood of refusals is one warning a minute per provider and outcome, with the count; each one at debug', async (t) => {
  const lines: { debug: LogFields[]; warn: LogFields[] } = { debug: [], warn: [] }
  const log: Log = {
    debug: (_, fields = {}) => void lines.debug.push(fields),
    warn: (_, fields = {}) => void lines.warn.push(fields),
    info: () => {},
    error: () => {},
  }
  let now = 1_000_000
  const logRefusal = createRefusalLog(log, () => now)
  for (let n = 0; n < 5_000; n++) logRefusal('alipayplus', 'unverified', 'signature')
  logRefusal('bluepay', 'malformed', 'body')
  now += 60_000
  logRefusal('alipayplus', 'unverified', 'client')
  t.equal(lines.debug.length, 5_002)
  t.same(lines.warn, [
    { provider: 'alipayplus', outcome: 'unverified', reason: 'signature', count: 1 },
    { provider: 'bluepay', outcome: 'malformed', reason: 'body', count: 1 },
    { provider: 'alipayplus', outcome: 'unverified', reason: 'client', count: 5_000 },
  ])
})
