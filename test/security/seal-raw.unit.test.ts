import fc from 'fast-check'
import { compactDecrypt } from 'jose'
import t from 'tap'
import type { KeyRing } from '../../shared/security/keys.ts'
import { createRawOpener, createRawSealer } from '../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../fixtures/keys.ts'

const keys = loadTestKeys(t.testdir())
const body = Buffer.from('{"authorizationNotifyType":"TOKEN_CREATED","accessToken":"281010033AB2F588"}')
const opener = createRawOpener(keys.rawPrivate)
const seal = (bytes = body) => createRawSealer(keys.rawPublic).seal('alipayplus', 'client', bytes)

t.test('what was sealed opens to the same bytes, whatever they are', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      const opened = opener.open('alipayplus', 'client', seal(Buffer.from(bytes)))
      if (!opened?.equals(bytes)) throw new Error('differs')
    }),
    { numRuns: 50 },
  )
})

t.test('jose opens it, so that any JWE library does', async (t) => {
  const { plaintext, protectedHeader } = await compactDecrypt(seal().toString(), keys.rawPrivate.keys[0]!.key)
  t.same(Buffer.from(plaintext), body)
  t.match(protectedHeader, { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: 'test-raw', ctx: ['raw', 'alipayplus', 'client'] })
})

t.test('nothing of the body shows in the record', async (t) => {
  const record = seal().toString()
  for (const part of record.split('.')) t.notMatch(Buffer.from(part, 'base64url').toString('latin1'), 'TOKEN')
  t.notMatch(record, '281010033AB2F588')
})

t.test('a record altered in any one place does not open', async () => {
  const record = seal().toString()
  fc.assert(
    fc.property(fc.nat(record.length - 1), fc.constantFrom('A', 'b', '-', '_', '.', '=', '+', ' ', '\n', '\0', 'ÿ'), (at, by) => {
      if (record[at] === by) return
      const altered = Buffer.from(record.slice(0, at) + by + record.slice(at + 1), 'latin1')
      if (opens(altered)) throw new Error('opened')
    }),
    { numRuns: 3000 },
  )
})

t.test('a record with more or less at its end does not open', async (t) => {
  const record = seal().toString()
  for (const altered of [
    `${record}=`,
    `${record} `,
    `${record}.`,
    `${record}AA`,
    record.slice(0, -1),
    record.slice(1),
    `${record}.A`,
  ])
    t.notOk(opens(Buffer.from(altered)), altered.slice(-8))
})

t.test('parts of two records of one key do not fit together', async (t) => {
  const sealer = createRawSealer(keys.rawPublic)
  const one = sealer.seal('alipayplus', 'client', body).toString().split('.')
  const two = sealer.seal('alipayplus', 'client', Buffer.from('another body')).toString().split('.')
  t.equal(one[1], two[1], 'one content key')
  for (const part of [2, 3, 4]) t.notOk(opens(Buffer.from(one.with(part, two[part]!).join('.'))), `part ${part}`)
})

t.test('it does not open as another provider’s or another account’s', async (t) => {
  t.equal(opener.open('bluepay', 'client', seal()), undefined)
  t.equal(opener.open('alipayplus', 'another', seal()), undefined)
  t.equal(opener.open('alipayplus', '', seal()), undefined)
})

t.test('it does not open with another key of the same id', async (t) => {
  const other = loadTestKeys(t.testdir())
  t.equal(createRawOpener(other.rawPrivate).open('alipayplus', 'client', seal()), undefined)
})

t.test('the gateway’s public ring does not open what it sealed', async (t) => {
  t.equal(createRawOpener(keys.rawPublic).open('alipayplus', 'client', seal()), undefined)
})

t.test('a key id that no ring holds is thrown, never skipped', async (t) => {
  const opener = createRawOpener(renamed(keys.rawPrivate, 'another'))
  t.throws(() => opener.open('alipayplus', 'client', seal()), { name: 'UnknownKeyError', message: /test-raw.*key file/ })
})

t.test('a key id that no key file could hold was never ours', async (t) => {
  const sealer = createRawSealer(renamed(keys.rawPublic, 'x'.repeat(65)))
  t.equal(opener.open('alipayplus', 'client', sealer.seal('alipayplus', 'client', body)), undefined)
})

t.test('one content key serves an hour, with a fresh IV for every record', async (t) => {
  let now = Date.parse('2026-11-22T05:00:00Z')
  const sealer = createRawSealer(keys.rawPublic, () => now)
  const parts = () => sealer.seal('alipayplus', 'client', body).toString().split('.')
  const first = parts()
  const ivs = new Set(Array.from({ length: 1000 }, () => parts()[2]))
  t.equal(ivs.size, 1000)
  now += 60 * 60 * 1000
  t.equal(parts()[1], first[1])
  now += 1
  t.not(parts()[1], first[1], 'after an hour another one')
})

t.test('new records use the newest key in force, old ones still open', async (t) => {
  const other = loadTestKeys(t.testdir())
  const start = Date.parse('2026-11-22T05:00:00Z')
  const later = (ring: KeyRing) => ({ ...renamed(ring, 'second').keys[0]!, activeFrom: start + 1000 })
  const sealing = { ...keys.rawPublic, keys: [...keys.rawPublic.keys, later(other.rawPublic)] }
  const opening = { ...keys.rawPrivate, keys: [...keys.rawPrivate.keys, later(other.rawPrivate)] }
  let now = start
  const sealer = createRawSealer(sealing, () => now)
  const before = sealer.seal('alipayplus', 'client', body)
  now += 1000
  const after = sealer.seal('alipayplus', 'client', body)
  t.same([kidOf(before), kidOf(after)], ['test-raw', 'second'])
  for (const record of [before, after]) t.same(createRawOpener(opening).open('alipayplus', 'client', record), body)
})

t.test('what was never sealed is no error', async (t) => {
  const header = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const texts = [
    '',
    '.',
    '....',
    'a.b.c.d.e',
    body.toString(),
    `${header(null)}.a.b.c.d`,
    `${header([])}.a.b.c.d`,
    `${header({})}.a.b.c.d`,
  ]
  for (const text of [...texts, '\0'.repeat(100), '.'.repeat(100_000)])
    t.equal(opener.open('alipayplus', 'client', Buffer.from(text)), undefined, JSON.stringify(text.slice(0, 20)))
})

/** Altering the key id itself is an unknown key: not opened either. */
function opens(record: Buffer): boolean {
  try {
    return opener.open('alipayplus', 'client', record) !== undefined
  } catch (error) {
    if ((error as Error).name === 'UnknownKeyError') return false
    throw error
  }
}

const kidOf = (record: Buffer) => JSON.parse(Buffer.from(record.toString().split('.')[0]!, 'base64url').toString()).kid
const renamed = (ring: KeyRing, kid: string): KeyRing => ({ ...ring, keys: [{ ...ring.keys[0]!, kid }] })
