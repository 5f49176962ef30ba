/** Changes of the merchant registry while a pipeline runs, and the subscriptions that each of its versions asks for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { alipayplusClients, bluepayAccounts } from '../../services/operator/keys/demonstration.ts'
import type { Random } from '../../services/operator/simulator/random.ts'
import { providers } from '../../shared/contracts/topics.ts'
import type { Merchant, TokenEvent } from '../../shared/contracts/types.ts'
import { type AppendedRecord, appendRecords } from '../../shared/kafka/append.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import type { TopicSet } from '../support/topic-set.ts'

type Subscription = Merchant['subscriptions'][number]

const types = ['authorization-code.created', 'token.created', 'token.creation-failed', 'token.canceled', 'token.expired'] as const
const psps = ['1021234567891230002', '1021234567891230003', '1021234567891230004']
const channels: string[] = bluepayAccounts.map(({ channelCode }) => channelCode)
const authClients = alipayplusClients.flatMap(({ merchants }) => merchants.map(({ authClientId }) => authClientId))
const bluepayMerchants: string[] = bluepayAccounts.map(({ merchantId }) => merchantId)
const removable = ['218823863726000000002', '218823863726000000003', 'platform']
/** Wants everything and never changes, so that each event has a sync that says which version decided it. */
const witness: Subscription = { id: 'witness', enabled: true }

const changing = (merchantId: string, more: Partial<Merchant> = {}): Merchant => ({
  merchantId,
  subscriptions: [witness, { id: 'changing', enabled: true }],
  ...more,
})
export const firstEntries: Merchant[] = [
  { merchantId: 'alipayplus-witness', authClientIds: authClients, subscriptions: [witness] },
  ...bluepayMerchants.map((merchantId) => changing(merchantId)),
  ...removable.map((merchantId) => changing(merchantId)),
]

const recordOf = (topic: string, entry: Merchant): AppendedRecord => ({
  topic,
  key: entry.merchantId,
  value: JSON.stringify(entry),
})
export const putAll = ({ kafka, topics }: TopicSet, entries: Merchant[]) =>
  appendRecords(
    kafka,
    entries.map((entry) => recordOf(topics.merchants, entry)),
  )

/** One to three changes by chance about every 100 ms, sometimes one that is no entry, until stopped. */
export function changeRegistry({ kafka, topics }: TopicSet, { chance, pick, integer }: Random): { stop: () => Promise<void> } {
  const maybe = <T>(name: string, list: readonly T[]) => (chance(0.4) ? { [name]: list.filter(() => chance(0.5)) } : {})
  const subscription = (id: string): Subscription => ({
    ...{ id, enabled: chance(0.8), ...maybe('types', types), ...maybe('providers', providers) },
    ...(chance(0.5) ? maybe('wallets', psps) : maybe('channels', channels)),
  })
  const change = (): AppendedRecord => {
    const merchantId = pick([...bluepayMerchants, ...removable])
    if (chance(0.05)) return { topic: topics.merchants, key: merchantId, value: '{"merchantId":7}' }
    if (chance(0.2) && removable.includes(merchantId)) return { topic: topics.merchants, key: merchantId, value: null }
    const subscriptions = [witness, ...['changing', 'second'].filter(() => chance(0.8)).map(subscription)]
    return recordOf(topics.merchants, { merchantId, subscriptions, ...maybe('authClientIds', authClients) })
  }
  let stopped = false
  const running = (async () => {
    while (!stopped) {
      await appendRecords(
        kafka,
        Array.from({ length: integer(1, 3) }, () => change()),
      )
      await sleep(70)
    }
  })()
  return {
    async stop() {
      stopped = true
      await running
    },
  }
}

/** `merchant/subscription` of all that an event goes to by a version of the registry: from the contract's words, with none of our code. */
export function createOracle(history: SourceRecord[]): (event: TokenEvent, version: number) => string[] {
  const versions: Map<string, Merchant>[] = []
  let entries = new Map<string, Merchant>()
  for (const { key, value, offset } of history) {
    entries = new Map(entries)
    const entry = value === null ? undefined : (JSON.parse(String(value)) as Merchant)
    if (entry === undefined) entries.delete(String(key))
    else if (typeof entry.merchantId === 'string') entries.set(entry.merchantId, entry)
    versions[offset] = entries
  }
  const lists = (list: readonly string[] | undefined, value: string | undefined) =>
    list === undefined || list.some((one) => one === value)
  return (event, version) =>
    [...(versions[version] ?? new Map<string, Merchant>()).values()]
      .filter(
        ({ merchantId, authClientIds = [] }) =>
          merchantId === event.merchantId || authClientIds.some((client) => client === event.authClientId),
      )
      .flatMap(({ merchantId, subscriptions }) =>
        subscriptions
          .filter((one) => one.enabled && lists(one.types, event.type) && lists(one.providers, event.provider))
          .filter((one) => lists(one.wallets, event.pspId) && lists(one.channels, event.channel?.code))
          .map(({ id }) => `${merchantId}/${id}`),
      )
      .sort()
}
