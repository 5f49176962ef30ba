import t from 'tap'
import { createFanOut, fanOut } from '../../services/merchant-sync/fan-out.ts'
import { createRegistry } from '../../shared/contracts/registry.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { Merchant, MerchantSync, TokenEvent } from '../../shared/contracts/types.ts'
import { checkMerchantSync } from '../../shared/contracts/validate.ts'

const topics = topicNames()
const id = (digit: string) => digit.repeat(32)

const eventOf = (overrides: Partial<TokenEvent> = {}): TokenEvent => ({
  eventId: id('a'),
  type: 'token.created',
  late: false,
  provider: 'alipayplus',
  account: 'client-1',
  merchantId: 'shop',
  authClientId: 'client-1',
  pspId: 'psp-1',
  token: { ref: id('b'), status: 'active' },
  times: { receivedAt: '2026-01-01T00:00:00.000Z', zoneAssumed: false },
  raw: { type: 'TOKEN_CREATED' },
  ...overrides,
})

const registryOf = (...merchants: Merchant[]) => {
  const registry = createRegistry()
  merchants.forEach((merchant, offset) => {
    const mistakes = registry.apply({
      offset,
      key: Buffer.from(merchant.merchantId),
      value: Buffer.from(JSON.stringify(merchant)),
    })
    if (mistakes.length > 0) throw new Error(mistakes.join())
  })
  return registry
}

const position = {
  topic: topics.events,
  partition: 1,
  offset: 9,
  timestamp: 1,
  key: Buffer.from('key'),
  headers: { origin: 'raw/1/2' },
}
const fan = (registry: ReturnType<typeof createRegistry>, event: unknown) => {
  return fanOut(
    { ...position, value: Buffer.from(JSON.stringify(event)) },
    { topics, registry, partitionOf: (key) => key.length },
  )
}
const syncsOf = (outcome: ReturnType<typeof fan>): MerchantSync[] =>
  outcome.kind === 'emit' ? outcome.records.map(({ value }) => JSON.parse(String(value))) : []
const subscribed = (
  merchantId: string,
  subscription: Partial<Merchant['subscriptions'][number]> = {},
  authClientIds?: string[],
): Merchant => ({
  merchantId,
  ...(authClientIds ? { authClientIds } : {}),
  subscriptions: [{ id: 'all', enabled: true, ...subscription }],
})

t.test('an event goes to every enabled subscription of the merchants it concerns, by merchant id or auth client id', (t) => {
  const both: Merchant = {
    merchantId: 'shop',
    subscriptions: [
      { id: 'one', enabled: true },
      { id: 'two', enabled: true },
      { id: 'off', enabled: false },
    ],
  }
  const registry = registryOf(both, subscribed('platform', {}, ['client-1', 'client-2']), subscribed('stranger'))
  const syncs = syncsOf(fan(registry, eventOf()))
  t.strictSame(
    syncs.map(({ syncId }) => syncId),
    [`${id('a')}.platform.all`, `${id('a')}.shop.one`, `${id('a')}.shop.two`],
  )
  for (const sync of syncs) t.ok('value' in checkMerchantSync(sync), 'each is a MerchantSync by its schema')
  t.ok(
    syncs.every(({ registryOffset }) => registryOffset === 2),
    'each records the registry position it was decided by',
  )
  t.end()
})

t.test('filters decide per subscription', (t) => {
  const cases: [Partial<Merchant['subscriptions'][number]>, number][] = [
    [{ types: ['token.created', 'token.canceled'] }, 1],
    [{ types: ['token.canceled'] }, 0],
    [{ providers: ['alipayplus'] }, 1],
    [{ providers: ['bluepay'] }, 0],
    [{ types: ['token.created'], providers: ['bluepay'] }, 0],
    [{ wallets: ['psp-1'] }, 1],
    [{ wallets: ['psp-2'] }, 0],
    [{ channels: ['PH_GCASH_DIRECT_DEBIT'] }, 0],
  ]
  for (const [filter, expected] of cases) {
    t.equal(syncsOf(fan(registryOf(subscribed('shop', filter)), eventOf())).length, expected, JSON.stringify(filter))
  }
  t.end()
})

t.test('key, partition and headers: one token at one merchant stays in order', (t) => {
  const outcome = fan(registryOf(subscribed('shop')), eventOf())
  const [record] = outcome.kind === 'emit' ? outcome.records : []
  t.equal(record?.key, `shop:${id('b')}`)
  t.equal(record?.partition, record?.key.length)
  t.match(record?.headers, { ce_id: `${id('a')}.shop.all`, ce_type: 'merchant-sync', origin: 'raw/1/2' })
  const { token: _, ...tokenless } = eventOf()
  const without = fan(registryOf(subscribed('shop')), tokenless)
  t.equal(without.kind === 'emit' && without.records[0]?.key, 'shop:key', 'without a token the record key takes its place')
  t.end()
})

t.test('an event that matches nobody is dropped by name, one that is none is a dead letter', (t) => {
  t.strictSame(fan(registryOf(), eventOf()), { kind: 'drop', reason: 'no-subscription' })
  t.match(fan(registryOf(), { eventId: 'short' }), { kind: 'dead-letter', reason: 'not-an-event' })
  t.end()
})

t.test('the registry follows its topic: replaced, removed, and a mistake leaves the entry as it was', (t) => {
  const registry = registryOf(subscribed('shop', {}, ['client-1']))
  const apply = (offset: number, key: string, value: unknown) =>
    registry.apply({
      offset,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    })
  t.not(apply(1, 'shop', { merchantId: 'shop' }).length, 0, 'an entry without subscriptions is refused')
  t.not(apply(2, 'shop', 'no json').length, 0)
  t.strictSame(apply(3, 'other', subscribed('shop')), ['/merchantId must equal the record key'])
  t.equal(syncsOf(fan(registry, eventOf()))[0]?.registryOffset, 3, 'refused records move the position too')
  t.strictSame(apply(4, 'shop', subscribed('shop', {}, ['client-9'])), [])
  t.equal(syncsOf(fan(registry, eventOf({ merchantId: 'x' }))).length, 0, 'the old auth client is forgotten')
  t.equal(syncsOf(fan(registry, eventOf({ merchantId: 'x', authClientId: 'client-9' }))).length, 1)
  apply(5, 'shop', null)
  t.equal(registry.entries().size, 0)
  t.equal(fan(registry, eventOf()).kind, 'drop')
  t.end()
})

t.test('a registry that could not be followed for half a minute decides nothing: the batch waits', async (t) => {
  let quiet = 29_000
  const step = createFanOut({ topics, registry: registryOf(subscribed('shop')), partitionOf: () => 0, quietMs: () => quiet })
  const records = [{ ...position, value: Buffer.from(JSON.stringify(eventOf())) }]
  const batch = { topic: topics.events, partition: 1, records, begin: 9, end: 10 }
  t.match(await step.decide(batch), [{ kind: 'emit' }])
  quiet = 31_000
  await t.rejects(step.decide(batch), { message: /merchants\.v1 could not be read for 31 s/ })
})

t.test('where an event goes to many subscriptions, the next batch has fewer events, and at least one', async (t) => {
  const manyOf = (count: number) => ({
    merchantId: 'shop',
    subscriptions: Array.from({ length: count }, (_, index) => ({ id: `s-${index}`, enabled: true })),
  })
  const deps = { topics, partitionOf: () => 0, quietMs: () => 0 }
  const records = [eventOf(), eventOf({ merchantId: 'nobody', authClientId: 'nobody' })].map((event) => ({
    ...position,
    value: Buffer.from(JSON.stringify(event)),
  }))
  const takeAfter = async (count: number, of = records) => {
    const step = createFanOut({ ...deps, registry: registryOf(manyOf(count)) })
    await step.decide({ topic: topics.events, partition: 1, records: of, begin: 9, end: 10 })
    return step.take?.(of)
  }
  t.equal(await takeAfter(1), 1_500)
  t.equal(await takeAfter(60), 50, 'half of the events go to 60')
  t.equal(await takeAfter(60, records.slice(0, 1)), 25)
  t.equal(await takeAfter(60, records.slice(1)), 1_500, 'and none to anybody')
})
