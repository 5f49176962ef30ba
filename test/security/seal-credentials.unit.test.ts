import { createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { compactDecrypt } from 'jose'
import t from 'tap'
import type { KeyRing } from '../../shared/security/keys.ts'
import { type CredentialsContext, openCredentials } from '../../shared/security/open-credentials.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { loadTestKeys } from '../fixtures/keys.ts'

const ring = loadTestKeys(t.testdir()).credentials
const context: CredentialsContext = { provider: 'bluepay', account: 'demo-ph', eventId: '0f1d0c52a9c0f9c1f2f5f6b3a4d5e6f7' }
const credentials = { accessToken: 'TK1U2ODY9EPKRSOSU9', userId: 'u00012' }
const at = Date.parse('2026-11-22T05:00:00Z')
const seal = (more: Partial<CredentialsContext> = {}, what: object = credentials) =>
  createCredentialSealer(ring).seal({ ...context, ...more }, at, what)
const ivOf = (sealed: string) => sealed.split('.')[2]
const kidOf = (sealed: string) => JSON.parse(Buffer.from(sealed.split('.')[0]!, 'base64url').toString()).kid
const withKeys = (...keys: KeyRing['keys']): KeyRing => ({ development: true, keys })
const second = { ...ring.keys[0]!, kid: 'second', activeFrom: at }

t.test('what was sealed opens to what was received', async (t) => {
  t.same(openCredentials(ring, context, seal()), credentials)
  t.same(openCredentials(ring, context, seal({}, {})), {})
})

t.test('jose opens it, so that any JWE library does', async (t) => {
  const { plaintext, protectedHeader } = await compactDecrypt(seal(), ring.keys[0]!.key)
  t.same(JSON.parse(Buffer.from(plaintext).toString()), credentials)
  t.match(protectedHeader, { alg: 'dir', enc: 'A256GCM', kid: 'test-credentials' })
  t.same(protectedHeader.ctx, ['credentials', context.provider, context.account, context.eventId])
})

t.test('the same input gives the same bytes, in every process', async (t) => {
  t.equal(seal(), seal())
})

t.test('different input has another IV, whatever the difference', async () => {
  const fact = fc.record({ account: fc.string(), eventId: fc.string(), accessToken: fc.string() })
  fc.assert(
    fc.property(fact, fact, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b)
      const iv = ({ accessToken, ...more }: typeof a) => ivOf(seal(more, { accessToken }))
      if ((iv(a) === iv(b)) !== same) throw new Error(same ? 'another IV' : 'the same IV')
    }),
    { numRuns: 300 },
  )
})

t.test('a shift of text between account and event id is another input', async (t) => {
  t.not(ivOf(seal({ account: 'a', eventId: 'bc' })), ivOf(seal({ account: 'ab', eventId: 'c' })))
})

t.test('another key has another IV, even for the same input', async (t) => {
  const sealed = createCredentialSealer(withKeys(second)).seal(context, at, credentials)
  t.not(ivOf(sealed), ivOf(seal()))
})

t.test('it does not open as another event’s, account’s or provider’s', async (t) => {
  t.equal(openCredentials(ring, { ...context, eventId: '00000000000000000000000000000000' }, seal()), undefined)
  t.equal(openCredentials(ring, { ...context, account: 'demo-th' }, seal()), undefined)
  t.equal(openCredentials(ring, { ...context, provider: 'alipayplus' }, seal()), undefined)
})

t.test('nor with a header taken from another event', async (t) => {
  const [header] = seal({ eventId: 'another' }).split('.')
  const moved = [header, ...seal().split('.').slice(1)].join('.')
  t.equal(openCredentials(ring, context, moved), undefined)
  t.equal(openCredentials(ring, { ...context, eventId: 'another' }, moved), undefined)
})

t.test('altered in any one place, it does not open', async () => {
  const sealed = seal()
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.constantFrom('A', 'b', '-', '_', '.', '=', '+', ' '), (place, by) => {
      if (sealed[place] !== by && opens(sealed.slice(0, place) + by + sealed.slice(place + 1))) throw new Error('opened')
    }),
    { numRuns: 2000 },
  )
})

t.test('it does not open with another key of the same id', async (t) => {
  const other = { ...ring.keys[0]!, key: createSecretKey(Buffer.alloc(32, 7)) }
  t.equal(openCredentials(withKeys(other), context, seal()), undefined)
})

t.test('a key id that the ring does not hold is thrown', async (t) => {
  t.throws(() => openCredentials(withKeys(second), context, seal()), { name: 'UnknownKeyError', message: /test-credentials/ })
})

t.test('the key is the one in force at the record’s time, so that a replay seals with the same', async (t) => {
  const rotated = createCredentialSealer(withKeys(ring.keys[0]!, second))
  t.equal(kidOf(rotated.seal(context, at - 1, credentials)), 'test-credentials')
  t.equal(kidOf(rotated.seal(context, at, credentials)), 'second')
  t.equal(kidOf(rotated.seal(context, 0, credentials)), 'test-credentials', 'older than all keys: the first')
  t.equal(rotated.seal(context, at - 1, credentials), createCredentialSealer(ring).seal(context, at - 1, credentials))
})

t.test('nothing sealed shows', async (t) => {
  const decoded = seal()
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
  for (const secret of Object.values(credentials)) t.notOk(decoded.some((part) => part.includes(secret)))
})

function opens(sealed: string): boolean {
  try {
    return openCredentials(ring, context, sealed) !== undefined
  } catch (error) {
    if ((error as Error).name === 'UnknownKeyError') return false
    throw error
  }
}
