/** What one event costs merchant-sync to decide, with this many merchants in the registry. No Kafka. */
import { fanOut } from '../../services/merchant-sync/fan-out.ts'
import { createRegistry, type Registry } from '../../shared/contracts/registry.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { Merchant, TokenEvent } from '../../shared/contracts/types.ts'

const topics = topicNames()

/** Like the demonstration's: two subscriptions, and an auth client of its own for every merchant. */
export const merchantAt = (index: number): Merchant => ({
  merchantId: `M-${String(index).padStart(6, '0')}`,
  name: `Shop ${index}`,
  authClientIds: [`client-${index}`],
  subscriptions: [
    { id: 'shop', enabled: true, endpoint: `https://shop-${index}.example/token-events` },
    {
      id: 'desk',
      enabled: true,
      endpoint: `https://desk-${index}.example/token-events`,
      types: ['token.canceled', 'token.expired'],
    },
  ],
})

export function registryOfSize(merchants: number): Registry {
  const registry = createRegistry()
  for (let offset = 0; offset < merchants; offset++) {
    const entry = merchantAt(offset)
    registry.apply({ offset, key: Buffer.from(entry.merchantId), value: Buffer.from(JSON.stringify(entry)) })
  }
  return registry
}

/**
 * Microseconds of CPU for one event: checked, matched with one merchant of many, its sync made. The best of five rounds over different merchants;
 * CPU, because a busy machine must not show.
 */
export function measureFanOut(registry: Registry, events = 5_000): number {
  const { size } = registry.entries()
  const records = Array.from({ length: events }, (_, index) => recordOf((index * 7_919) % size, index))
  const deps = { topics, registry, partitionOf: () => 0 }
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage()
    for (const record of records) if (fanOut(record, deps).kind !== 'emit') throw new Error('An event met no subscription')
    const { user, system } = process.cpuUsage(before)
    return (user + system) / events
  })
  return Math.min(...rounds)
}

/** Half of the events concern their merchant by id, half by auth client id. */
function recordOf(merchant: number, offset: number) {
  const event: TokenEvent = {
    eventId: 'a'.repeat(32),
    type: 'token.created',
    late: false,
    provider: 'alipayplus',
    account: 'client',
    ...(offset % 2 === 0 ? { merchantId: merchantAt(merchant).merchantId } : { authClientId: `client-${merchant}` }),
    token: { ref: 'b'.repeat(32), status: 'active' },
    times: { receivedAt: '2026-01-01T00:00:00.000Z', zoneAssumed: false },
    raw: { type: 'TOKEN_CREATED' },
  }
  const value = Buffer.from(JSON.stringify(event))
  return {
    topic: topics.events,
    partition: 0,
    offset,
    timestamp: 1,
    key: Buffer.from('key'),
    value,
    headers: { origin: 'raw/0/0' },
  }
}
