import type { EventRecord, RegistryRecord } from './run.ts'

type Filter = 'types' | 'providers' | 'wallets' | 'channels'
type Subscription = { id: string; enabled: boolean } & Partial<Record<Filter, string[]>>
type Merchant = { merchantId: string; authClientIds?: string[]; subscriptions: Subscription[] }
/** A version of the registry, to be asked by merchant id or auth client id. */
type Version = { merchants: Map<string, Merchant>; byAuthClient: Map<string, string[]> }

export type Facts = Pick<EventRecord, 'type' | 'provider' | 'merchantId' | 'authClientId' | 'pspId' | 'channelCode'>
export type Registry = {
  /** Offset of a registry record, or -1: before the first. */
  has: (version: number) => boolean
  /** `<merchantId>.<subscriptionId>` of every subscription that matched at that version. */
  match: (version: number, event: Facts) => string[]
  /** Every version that stood at or after a moment (ms), oldest first. */
  since: (time: number) => number[]
}

/** The registry as of each of its records, made again from the topic. Nothing is compacted there, so every version can be. */
export function createRegistry(records: RegistryRecord[]): Registry {
  const versions = new Map<number, Version>()
  const offsets = [-1, ...records.map(({ offset }) => offset)]
  const known = new Set(offsets)

  function versionAt(offset: number): Version {
    const made = versions.get(offset)
    if (made) return made
    const version = build(records.filter((record) => record.offset <= offset))
    versions.set(offset, version)
    return version
  }

  return {
    has: (version) => known.has(version),
    match(version, event) {
      const { merchants, byAuthClient } = versionAt(version)
      const concerned = new Set([event.merchantId ?? '', ...(byAuthClient.get(event.authClientId ?? '') ?? [])])
      return [...concerned].flatMap((id) =>
        (merchants.get(id)?.subscriptions ?? [])
          .filter((subscription) => wants(subscription, event))
          .map((subscription) => `${id}.${subscription.id}`),
      )
    },
    since(time) {
      const standing = records.filter(({ timestamp }) => timestamp <= time).length
      return offsets.slice(standing)
    },
  }
}

/** What a filter compares with. An absent filter matches all; one that is there never matches an event that lacks the fact. */
const facts: Record<Filter, (event: Facts) => string | undefined> = {
  types: ({ type }) => type,
  providers: ({ provider }) => provider,
  wallets: ({ pspId }) => pspId,
  channels: ({ channelCode }) => channelCode,
}
const filters = Object.keys(facts) as Filter[]

function wants(subscription: Subscription, event: Facts): boolean {
  return subscription.enabled && filters.every((filter) => subscription[filter]?.includes(facts[filter](event) ?? '') ?? true)
}

function build(records: RegistryRecord[]): Version {
  const merchants = new Map<string, Merchant>()
  for (const { key, value } of records) {
    if (key === null) continue
    if (value === null) merchants.delete(key)
    const merchant = value === null ? undefined : readMerchant(value)
    // What is no entry leaves the one before it in force.
    if (merchant?.merchantId === key) merchants.set(key, merchant)
  }
  const byAuthClient = new Map<string, string[]>()
  for (const { merchantId, authClientIds } of merchants.values())
    for (const client of authClientIds ?? []) byAuthClient.set(client, [...(byAuthClient.get(client) ?? []), merchantId])
  return { merchants, byAuthClient }
}

function readMerchant(value: string): Merchant | undefined {
  try {
    const merchant = JSON.parse(value) as Merchant | null
    if (!isListOf(merchant?.authClientIds ?? [], isText)) return undefined
    return isListOf(merchant?.subscriptions, isSubscription) ? (merchant ?? undefined) : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isListOf = (value: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(is)

function isSubscription(value: unknown): boolean {
  const { id, enabled, ...rest } = (value ?? {}) as Partial<Subscription>
  return isText(id) && typeof enabled === 'boolean' && filters.every((filter) => isListOf(rest[filter] ?? [], isText))
}
