import { spawnSync } from 'node:child_process'
import t from 'tap'
import { allowedOnly, describeError } from '../../shared/runtime/log.ts'

const canary = 'canary-281010033AB2F588'

t.test('a field that nobody allowed is not logged, whatever its name', async (t) => {
  for (const name of [
    'body',
    'token',
    'accessToken',
    'headers',
    'authorization',
    'path',
    'pathId',
    'value',
    'key',
    '__proto__',
    'toString',
  ])
    t.same(allowedOnly({ [name]: canary }), {}, name)
})

t.test('allowed fields are, unless they have no value', async (t) => {
  t.same(allowedOnly({ event: 'batch-processed', records: 3, slot: undefined, partitions: [0, 1] }), {
    event: 'batch-processed',
    records: 3,
    partitions: [0, 1],
  })
})

t.test('an object brings no fields of its own in, not even in a list or as an error', async (t) => {
  const hidden = { accessToken: canary, toString: () => canary, toJSON: () => canary }
  for (const fields of [{ reason: hidden }, { error: hidden }, { partitions: [hidden, [hidden]] }, { file: Buffer.from(canary) }])
    t.notMatch(JSON.stringify(allowedOnly(fields)), canary)
})

t.test('an error is its message and code: no stack, no cause, no member', async (t) => {
  const error = Object.assign(new Error('connect refused', { cause: new Error(canary) }), { code: 'ECONNREFUSED', body: canary })
  t.equal(describeError(error), 'connect refused (ECONNREFUSED)')
  t.same(allowedOnly({ error }), { error: 'connect refused (ECONNREFUSED)' })
  t.equal(describeError(Object.assign(new Error('broker said UNKNOWN'), { type: 'UNKNOWN' })), 'broker said UNKNOWN')
})

t.test('a text that JSON.parse cannot read is not quoted', async (t) => {
  try {
    JSON.parse(canary)
    t.fail('it is no JSON')
  } catch (error) {
    t.match((error as Error).message, canary.slice(0, 6), 'Node quotes it')
    t.notMatch(describeError(error), canary.slice(0, 6))
  }
})

t.test('a line is one JSON object with level, time, service and event', async (t) => {
  const log = new URL('../../shared/runtime/log.ts', import.meta.url).href
  const script = `import { createLog } from '${log}'
    const log = createLog('gateway', 'info')
    log.debug('unseen')
    log.warn('refused\\nnext', { reason: 'two\\nlines', body: '${canary}' })`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  const lines = stdout.trim().split('\n')
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0]!), { level: 'warn', service: 'gateway', event: 'refused\nnext', reason: 'two\nlines' })
  t.match(JSON.parse(lines[0]!).time, /^\d{4}-\d\d-\d\dT/)
  t.notMatch(stdout, canary)
})
