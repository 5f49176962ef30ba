/** What the checker reads, and what it refuses to read: lines, history, positions, records, sealed bodies. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { createRawSealer } from '../../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../../fixtures/keys.ts'
import { readHistory, readPositions } from './history.ts'
import type { Dumped } from './kcat.ts'
import { linesOf } from './lines.ts'
import { createOpenRaw } from './open-raw.ts'
import { headerOf, readDuplicate, readEvent, readNormalized, readSync } from './records.ts'

t.test('lines end at line feeds only, however the bytes arrive', async (t) => {
  const lines = ['{"a":"\u2028ü\u2029"}', '', 'é'.repeat(50), '{"b":"\\r"}']
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  for (const size of [1, 3, 7, 1000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size))
    t.strictSame((await Array.fromAsync(linesOf(Readable.from(chunks)))).flat(), lines, `${size} at a time`)
  }
  t.strictSame(
    (await Array.fromAsync(linesOf(Readable.from([Buffer.from('a\nb')])))).flat(),
    ['a', 'b'],
    'the last may lack its end',
  )
})

t.test('a history is read whole or refused, with the line that is none', async (t) => {
  const file = join(t.testdir(), 'client.jsonl')
  const attempt = { n: 1, change: 2, copy: 'first', odd: false, sha256: 'a'.repeat(64), outcome: 'acknowledged' }
  const more = { story: 1, kind: 'TOKEN_CREATED', provider: 'alipayplus', startedAt: 1, endedAt: 2 }
  writeFileSync(file, `${JSON.stringify({ ...attempt, ...more })}\n`)
  t.strictSame(await readHistory(file), [attempt])
  for (const [line, message] of [
    [{ ...attempt, outcome: 'ok' }, /line 2: outcome must be one of acknowledged, call-again/],
    [{ ...attempt, sha256: 'abc' }, /line 2: sha256/],
    [{ ...attempt, change: '2' }, /line 2: n and change/],
    [{ ...attempt, odd: undefined }, /line 2: odd/],
    [{ ...attempt, copy: 'second' }, /line 2: copy/],
  ] as const) {
    writeFileSync(file, `${JSON.stringify(attempt)}\n${JSON.stringify(line)}\n`)
    await t.rejects(readHistory(file), { message })
  }
  writeFileSync(file, `${JSON.stringify(attempt).slice(0, -5)}`)
  await t.rejects(readHistory(file), { message: /line 1: / }, 'cut off')
  writeFileSync(file, '')
  await t.rejects(readHistory(file), { message: /has no attempt/ })
  await t.rejects(readHistory(`${file}.none`), { message: /ENOENT/ })
})

t.test('positions of another client, by partition', async (t) => {
  const file = join(t.testdir(), 'positions.jsonl')
  writeFileSync(file, '{"topic":"a","partition":0,"offset":"5"}\n{"topic":"a","partition":0,"offset":7}\n')
  t.strictSame([...(await readPositions(file))], [['a/0', [5, 7]]])
  writeFileSync(file, '{"topic":"a","partition":"0","offset":5}\n')
  await t.rejects(readPositions(file), { message: /line 1: not / })
})

t.test('a raw record opens for the provider and account that it names, and unaltered', async (t) => {
  const folder = t.testdir()
  const keys = loadTestKeys(folder)
  const body = Buffer.from([0, 255, 10, 13, 195])
  const sealed = createRawSealer(keys.rawPublic).seal('alipayplus', 'client', body).toString()
  const openRaw = await createOpenRaw(folder)
  t.equal(await openRaw('alipayplus', 'client', sealed), createHash('sha256').update(body).digest('hex'))
  t.equal(await openRaw('bluepay', 'client', sealed), undefined, 'another provider')
  t.equal(await openRaw('alipayplus', 'clien', sealed), undefined, 'another account')
  t.equal(await openRaw('alipayplus', 'client', `${sealed.slice(0, -3)}AAA`), undefined, 'altered')
  t.equal(await openRaw('alipayplus', 'client', ''), undefined, 'nothing')
  const other = t.testdir({ other: {} })
  loadTestKeys(join(other, 'other'))
  const openOther = await createOpenRaw(join(other, 'other'))
  t.equal(await openOther('alipayplus', 'client', sealed), undefined, "another run's key")
  await t.rejects(createOpenRaw(join(other, 'none')), { message: /raw\.private\.json is no set of private keys .*ENOENT/ })
})

const eventId = '0f1d0c52a9c0f9c1f2f5f6b3a4d5e6f7'
const event = { eventId, type: 'token.created', late: false, provider: 'alipayplus', token: { ref: 'r' }, pspId: 'P' }
const dumped = (payload: unknown, headers: string[] = []): Dumped => ({
  ...{ topic: 'a', partition: 1, offset: 7, ts: 5, key: 'k' },
  headers: ['origin', 'raw/1/3', ...headers],
  payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
})
const named = ['ce_id', eventId, 'ce_type', 'token.created']

t.test('a header counts when it is there once', async (t) => {
  t.equal(headerOf(dumped('', ['a', 'b', 'b', 'c']), 'b'), 'c', 'a value is no name')
  t.equal(headerOf(dumped('', ['a', '1', 'a', '2']), 'a'), '')
  t.equal(headerOf(dumped(''), 'a'), '')
})

t.test('events are read if their headers agree; late is no part of their content', async (t) => {
  const read = readEvent(dumped(event, named))
  t.match(read, { topic: 'a', partition: 1, offset: 7, origin: 'raw/1/3', eventId, tokenRef: 'r', pspId: 'P', late: false })
  t.equal(readEvent(dumped({ ...event, late: true }, named))?.content, read?.content)
  t.equal(readNormalized(dumped(event, named))?.content, read?.content)
  t.not(readEvent(dumped({ ...event, token: { ref: 's' } }, named))?.content, read?.content)
  for (const [what, record] of [
    ['not JSON', dumped('{', named)],
    ['null', dumped('null', named)],
    ['no value', { ...dumped('', named), payload: null }],
    ['another id in the header', dumped(event, ['ce_id', 'a', 'ce_type', 'token.created'])],
    ['another type in the header', dumped(event, ['ce_id', eventId, 'ce_type', 'token.canceled'])],
    ['no late', dumped({ ...event, late: undefined }, named)],
  ] as const)
    t.equal(readEvent(record), undefined, what)
})

t.test('duplicates and syncs are read if they say what they must', async (t) => {
  const duplicate = { eventId, origin: 'raw/1/4', position: 'n/1/2', holder: 'n/1/1', conflict: false }
  t.match(readDuplicate(dumped(duplicate)), { origin: 'raw/1/3', saidOrigin: 'raw/1/4', holder: 'n/1/1', conflict: false })
  t.equal(readDuplicate(dumped({ ...duplicate, conflict: 'no' })), undefined)
  const syncId = `${eventId}.M-1.main`
  const sync = { syncId, merchantId: 'M-1', subscriptionId: 'main', registryOffset: 3, event }
  t.match(readSync(dumped(sync, ['ce_id', syncId])), { syncId, eventId, registryOffset: 3, late: false })
  t.equal(readSync(dumped({ ...sync, merchantId: 'M-2' }, ['ce_id', syncId])), undefined, 'its id is made of other parts')
  t.equal(readSync(dumped(sync, ['ce_id', 'another'])), undefined)
  t.equal(readSync(dumped({ ...sync, event: undefined }, ['ce_id', syncId])), undefined)
})
