import { createHmac, createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { providers } from '../../shared/contracts/topics.ts'
import { createIdentity } from '../../shared/security/identity.ts'

const identity = createIdentity(createSecretKey(Buffer.alloc(32, 1)))
const provider = fc.constantFrom(...providers)
const text = fc.string({ maxLength: 4 })
const change = fc.tuple(provider, text, fc.array(text, { maxLength: 3 }))

t.test('ids are 128 bits in hex, and always the same', async (t) => {
  const id = identity.eventId('alipayplus', 'client', ['TOKEN_CREATED', 'client', 'token'])
  t.match(id, /^[0-9a-f]{32}$/)
  t.equal(id, identity.eventId('alipayplus', 'client', ['TOKEN_CREATED', 'client', 'token']))
  const encoded = '["event","alipayplus","client","TOKEN_CREATED","client","token"]'
  const hmac = createHmac('sha256', Buffer.alloc(32, 1)).update(encoded).digest('hex')
  t.equal(id, hmac.slice(0, 32), 'a change of the encoding is a migration of every id, ref and partition')
})

t.test('two changes have one id only if provider, account and every field are the same', async () => {
  fc.assert(
    fc.property(change, change, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b)
      if ((identity.eventId(...a) === identity.eventId(...b)) !== same) throw new Error('ambiguous')
    }),
    { numRuns: 3000 },
  )
})

t.test('text that moves between account and fields, or carries the encoding’s own signs, is other text', async (t) => {
  const ids = [
    identity.eventId('alipayplus', 'a', ['b', 'c']),
    identity.eventId('alipayplus', 'a', ['b,c']),
    identity.eventId('alipayplus', 'a', ['b","c']),
    identity.eventId('alipayplus', 'a', ['bc']),
    identity.eventId('alipayplus', 'a', ['b', 'c', '']),
    identity.eventId('alipayplus', 'a', ['', 'b', 'c']),
    identity.eventId('alipayplus', 'a","b', ['c']),
    identity.eventId('alipayplus', 'ab', ['c']),
    identity.eventId('bluepay', 'a', ['b', 'c']),
    identity.eventId('alipayplus', 'a', ['b', '\ud800']),
    identity.eventId('alipayplus', 'a', ['b', '\ud801']),
    identity.eventId('alipayplus', 'a', ['b', '\ufffd']),
  ]
  t.equal(new Set(ids).size, ids.length)
})

t.test('no two purposes give the same value for the same text', async (t) => {
  const values = [
    identity.eventId('alipayplus', 'a', ['x']),
    identity.tokenRef('alipayplus', 'a', 'x'),
    identity.customerRef('alipayplus', 'a', 'x'),
    identity.partitionKey('alipayplus', 'a', { fields: ['x'] }),
    identity.unreadableKey('alipayplus', 'a', Buffer.from('x')),
    identity.contentHash('alipayplus', 'a', Buffer.from('x')),
    identity.contentHash('alipayplus', 'a', { x: 'x' }),
  ]
  t.equal(new Set(values).size, values.length)
})

t.test('the partition key of a change with a token is the token’s ref, so that its life lies on one partition', async (t) => {
  const created = identity.partitionKey('bluepay', 'a', { fields: ['token.create.success', 'x'], token: 'T' })
  t.equal(created, identity.partitionKey('bluepay', 'a', { fields: ['token.cancel.success', 'y'], token: 'T' }))
  t.equal(created, identity.tokenRef('bluepay', 'a', 'T'))
  t.not(created, identity.partitionKey('bluepay', 'b', { fields: ['token.create.success', 'x'], token: 'T' }))
})

t.test('a content hash is the same for every spelling of the same fields', async (t) => {
  const hash = identity.contentHash('bluepay', 'a', { userId: '12', paytoken: 'T' })
  t.equal(hash, identity.contentHash('bluepay', 'a', { paytoken: 'T', userId: 12, countryCode: null }))
  t.not(hash, identity.contentHash('bluepay', 'a', { userId: '12', paytoken: 'T', countryCode: 'PH' }))
  t.not(hash, identity.contentHash('bluepay', 'b', { userId: '12', paytoken: 'T' }))
})

t.test('another key gives other values: none can be found by trying tokens without the key', async (t) => {
  const other = createIdentity(createSecretKey(Buffer.alloc(32, 2)))
  t.not(identity.tokenRef('alipayplus', 'a', 'x'), other.tokenRef('alipayplus', 'a', 'x'))
})
