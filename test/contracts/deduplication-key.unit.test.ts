import fc from 'fast-check'
import t from 'tap'
import { canonicalText, deduplicationKey, hasKey, textOf } from '../../shared/contracts/deduplication-key.ts'
import type { Provider } from '../../shared/contracts/topics.ts'

const fieldsOf = (provider: Provider, notification: Record<string, unknown>) => {
  const key = deduplicationKey(provider, notification)
  return hasKey(key) ? key.fields : key
}

const code = { authorizationNotifyType: 'AUTHCODE_CREATED', authClientId: 'c', authCode: 'code' }
const created = { authorizationNotifyType: 'TOKEN_CREATED', authClientId: 'c', accessToken: 't' }
const canceled = { authorizationNotifyType: 'TOKEN_CANCELED', authClientId: 'c', accessToken: 't' }
const success = { eventName: 'token.create.success', channelCode: 'ch', userId: 'u', requestId: 'r', paytoken: 't' }
const failed = { eventName: 'token.create.failed', channelCode: 'ch', userId: 'u', requestId: 'r' }
const cancel = { eventName: 'token.cancel.success', channelCode: 'ch', userId: 'u', requestId: 'r', paytoken: 't' }

t.test('each kind of notification has the key that makes it one change', async (t) => {
  t.same(fieldsOf('alipayplus', code), ['AUTHCODE_CREATED', 'c', 'code'])
  t.same(fieldsOf('alipayplus', created), ['TOKEN_CREATED', 'c', 't'])
  t.same(fieldsOf('alipayplus', canceled), ['TOKEN_CANCELED', 'c', 't'])
  t.same(fieldsOf('bluepay', success), ['token.create.success', 'ch', 'u', 'r', 't'])
  t.same(fieldsOf('bluepay', failed), ['token.create.failed', 'ch', 'u', 'r'])
  t.same(fieldsOf('bluepay', cancel), ['token.cancel.success', 'ch', 'u', 'token', 't'])
})

t.test('optional fields: request and token may be missing, not both', async (t) => {
  t.same(fieldsOf('bluepay', { ...success, requestId: null }), ['token.create.success', 'ch', 'u', '', 't'])
  t.same(fieldsOf('bluepay', { ...success, paytoken: '' }), ['token.create.success', 'ch', 'u', 'r', ''])
  t.same(fieldsOf('bluepay', { ...cancel, paytoken: undefined }), ['token.cancel.success', 'ch', 'u', 'request', 'r'])
  t.match(fieldsOf('bluepay', { ...success, requestId: '', paytoken: '' }), { reason: 'missing-field', field: 'requestId' })
  t.match(fieldsOf('bluepay', { ...cancel, requestId: '', paytoken: '' }), { reason: 'missing-field', field: 'paytoken' })
})

t.test('a cancel by token and one by request never meet, even when token and request are the same text', async (t) => {
  const byToken = fieldsOf('bluepay', { ...cancel, paytoken: 'x', requestId: '' })
  const byRequest = fieldsOf('bluepay', { ...cancel, paytoken: '', requestId: 'x' })
  t.strictNotSame(byToken, byRequest)
})

t.test('only the fields of the key count: refresh, times, sources and states do not', async (t) => {
  const changed = { accessTokenExpiryTime: 'later', tokenCancelSource: 'PSP', referenceAgreementId: 'a', refreshToken: 'r' }
  t.same(fieldsOf('alipayplus', { ...canceled, ...changed }), fieldsOf('alipayplus', canceled))
  const bluepay = { inactiveType: 'EXPIRED', inactiveTime: 'later', tokenStatus: 'INACTIVED', requestId: 'another' }
  t.same(fieldsOf('bluepay', { ...cancel, ...bluepay }), fieldsOf('bluepay', cancel))
})

t.test('a created token knows the key of its cancellation', async (t) => {
  t.match(deduplicationKey('alipayplus', created), { token: 't', cancel: fieldsOf('alipayplus', canceled) })
  t.match(deduplicationKey('bluepay', success), { token: 't', cancel: fieldsOf('bluepay', cancel) })
  for (const [provider, other] of [
    ['alipayplus', code],
    ['alipayplus', canceled],
    ['bluepay', failed],
    ['bluepay', cancel],
  ] as const)
    t.notOk('cancel' in deduplicationKey(provider, other))
})

t.test('integers and booleans are the text that they are usually sent as', async (t) => {
  const numbers = { ...created, authClientId: 17, accessToken: 281010033 }
  t.same(fieldsOf('alipayplus', numbers), fieldsOf('alipayplus', { ...created, authClientId: '17', accessToken: '281010033' }))
  t.equal(textOf(true), 'true')
  t.equal(textOf(0), '0')
  for (const nothing of [undefined, null, '', 2 ** 53, 1.5, Number.NaN, {}, ['x']]) t.equal(textOf(nothing), undefined)
})

t.test('what has no key says which field is why', async (t) => {
  t.match(fieldsOf('alipayplus', {}), { reason: 'missing-field', field: 'authorizationNotifyType' })
  t.match(fieldsOf('alipayplus', { ...code, authCode: null }), { reason: 'missing-field', field: 'authCode' })
  t.match(fieldsOf('alipayplus', { ...created, authClientId: {} }), { reason: 'missing-field', field: 'authClientId' })
  t.match(fieldsOf('bluepay', { ...failed, userId: 1.5 }), { reason: 'missing-field', field: 'userId' })
  for (const type of ['TOKEN_REFRESHED', 'token_created', 'constructor', '__proto__', 'toString'])
    t.match(fieldsOf('alipayplus', { ...created, authorizationNotifyType: type }), { reason: 'unknown-type' }, type)
})

t.test('fields that are not the notification’s own have no value', async (t) => {
  const inherited = Object.assign(Object.create({ accessToken: 't' }), {
    authorizationNotifyType: 'TOKEN_CREATED',
    authClientId: 'c',
  })
  t.match(fieldsOf('alipayplus', inherited), { reason: 'missing-field', field: 'accessToken' })
})

t.test('canonicalText: one text for all spellings of the same fields', async (t) => {
  const text = canonicalText({ a: '1', b: 'true', c: { x: 'y' }, d: ['p', 'q'] })
  t.equal(canonicalText({ d: ['p', 'q'], c: { z: null, x: 'y' }, b: true, a: 1, e: '', f: null }), text)
  for (const other of [
    { a: '2', b: 'true', c: { x: 'y' }, d: ['p', 'q'] },
    { a: '1', b: 'true', c: { x: 'y' }, d: ['q', 'p'] },
    { a: '1', b: 'true', c: { x: 'y', z: 'z' }, d: ['p', 'q'] },
    { a: '1', b: 'true', c: '{"x":"y"}', d: ['p', 'q'] },
  ])
    t.not(canonicalText(other), text)
})

t.test('canonicalText: different fields have different texts', async () => {
  const fields = fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ minLength: 1, maxLength: 3 }), { maxKeys: 3 })
  const sorted = (object: object) => JSON.stringify(Object.entries(object).sort())
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      if ((canonicalText(a) === canonicalText(b)) !== (sorted(a) === sorted(b))) throw new Error('differs')
    }),
    { numRuns: 2000 },
  )
})
