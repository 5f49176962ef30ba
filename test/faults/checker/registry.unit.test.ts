import t from 'tap'
import { createRegistry, type Facts } from './registry.ts'

const event: Facts = { type: 'token.created', provider: 'alipayplus', merchantId: 'M-1', authClientId: 'C-1', pspId: 'P-1' }
const entry = (merchantId: string, subscription: object = {}, more: object = {}) => ({
  merchantId,
  subscriptions: [{ id: 'main', enabled: true, ...subscription }],
  ...more,
})
/** One record per value, at offsets 0, 1, …, one a second; an object's key is its merchant id. */
const registryOf = (...values: ({ merchantId: string } | { key: string; value: string | null })[]) =>
  createRegistry(
    values.map((value, offset) => ({
      ...{ topic: 'merchants.v1', partition: 0, offset, timestamp: offset * 1000 },
      ...('merchantId' in value ? { key: value.merchantId, value: JSON.stringify(value) } : value),
    })),
  )

t.test('an event concerns the merchant that it names, and those who own its auth client', async (t) => {
  const registry = registryOf(entry('M-1'), entry('M-2', {}, { authClientIds: ['C-1'] }), entry('M-3'))
  t.strictSame(registry.match(2, event), ['M-1.main', 'M-2.main'])
  t.strictSame(registry.match(2, { type: 'token.created', provider: 'bluepay' }), [])
})

t.test('each version is as its record left it', async (t) => {
  const gone = { key: 'M-1', value: null }
  const registry = registryOf(entry('M-1'), gone, entry('M-1', { id: 'new' }))
  t.strictSame(
    [-1, 0, 1, 2].map((version) => registry.match(version, event)),
    [[], ['M-1.main'], [], ['M-1.new']],
  )
  t.ok(registry.has(-1) && registry.has(2))
  t.notOk(registry.has(3))
})

t.test('what is no entry leaves the one before it in force', async (t) => {
  const none = [
    '{',
    'null',
    '[]',
    '{"merchantId":"M-1"}',
    '{"merchantId":"M-1","subscriptions":[{"id":"x"}]}',
    '{"merchantId":"M-1","subscriptions":[{"id":"x","enabled":true,"types":"all"}]}',
    JSON.stringify(entry('M-2')),
  ]
  for (const value of none) t.strictSame(registryOf(entry('M-1'), { key: 'M-1', value }).match(1, event), ['M-1.main'], value)
})

t.test('a filter that is there passes only what it lists; one that is absent passes all', async (t) => {
  const passes = (subscription: object, facts: Facts) => registryOf(entry('M-1', subscription)).match(0, facts).length === 1
  const blue: Facts = { type: 'token.canceled', provider: 'bluepay', merchantId: 'M-1', channelCode: 'GCASH' }
  for (const [subscription, forEvent, forBlue] of [
    [{}, true, true],
    [{ enabled: false }, false, false],
    [{ types: ['token.created'] }, true, false],
    [{ types: [] }, false, false],
    [{ providers: ['bluepay'] }, false, true],
    [{ wallets: ['P-1'] }, true, false],
    [{ wallets: ['P-2'] }, false, false],
    [{ channels: ['GCASH', 'MAYA'] }, false, true],
    [{ types: ['token.created'], wallets: ['P-2'] }, false, false],
  ] as const) {
    t.equal(passes(subscription, event), forEvent, JSON.stringify(subscription))
    t.equal(passes(subscription, blue), forBlue, `${JSON.stringify(subscription)} of bluepay`)
  }
})

t.test('the versions that stood since a moment begin with the one in force then', async (t) => {
  const registry = registryOf(entry('M-1'), entry('M-2'), entry('M-3'))
  t.strictSame(registry.since(-1), [-1, 0, 1, 2])
  t.strictSame(registry.since(1000), [1, 2])
  t.strictSame(registry.since(9000), [2])
})
