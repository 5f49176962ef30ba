import { type Subscription, wants } from './subscription.ts'
import type { Merchant, TokenEvent } from './types.ts'
import { checkMerchant } from './validate.ts'

export type Match = { merchantId: string; subscription: Subscription }
export type RegistryRecord = { offset: number; key: Buffer | null; value: Buffer | null }

/**
 * Every merchant's subscriptions as of one position of `merchants.v1`: its version. An event finds the merchants it concerns by merchant id and
 * auth client id, so its cost depends on how many those are, never on how many there are.
 */
export type Registry = {
  /** Applies the next record of `merchants.v1`. Mistakes leave the entry as it was, and are returned. */
  apply: (record: RegistryRecord) => string[]
  /** Offset of the last record applied; -1 before the first. Recorded in each sync. */
  offset: () => number
  /** The entries in force, by merchant id. */
  entries: () => ReadonlyMap<string, Merchant>
  /** The merchants that an event concerns, whatever they want, by id. */
  concerned: (event: TokenEvent) => Merchant[]
  /** The subscriptions that want an event, by merchant id and in the entry's order. */
  match: (event: TokenEvent) => Match[]
}

export function createRegistry(): Registry {
  const entries = new Map<string, Merchant>()
  /** An auth client may belong to several merchants. */
  const byAuthClient = new Map<string, Set<string>>()
  let applied = -1

  function remove(merchantId: string): void {
    for (const client of entries.get(merchantId)?.authClientIds ?? []) {
      const owners = byAuthClient.get(client)
      owners?.delete(merchantId)
      if (owners?.size === 0) byAuthClient.delete(client)
    }
    entries.delete(merchantId)
  }

  function concerned({ merchantId, authClientId }: TokenEvent): Merchant[] {
    const ids = new Set(authClientId ? byAuthClient.get(authClientId) : [])
    if (merchantId) ids.add(merchantId)
    return [...ids].sort().flatMap((id) => entries.get(id) ?? [])
  }

  return {
    apply({ offset, key, value }) {
      // Seen before: the consumer has joined again. Going back would decide by subscriptions of the past.
      if (offset <= applied) return []
      applied = offset
      const merchantId = key?.toString() ?? ''
      if (value === null) {
        remove(merchantId)
        return []
      }
      const checked = checkMerchant(parse(value))
      if ('mistakes' in checked) return checked.mistakes
      if (checked.value.merchantId !== merchantId) return ['/merchantId must equal the record key']
      remove(merchantId)
      entries.set(merchantId, checked.value)
      for (const client of checked.value.authClientIds ?? []) {
        const owners = byAuthClient.get(client) ?? new Set()
        byAuthClient.set(client, owners.add(merchantId))
      }
      return []
    },
    offset: () => applied,
    entries: () => entries,
    concerned,
    match: (event) =>
      concerned(event).flatMap(({ merchantId, subscriptions }) =>
        subscriptions.filter((subscription) => wants(subscription, event)).map((subscription) => ({ merchantId, subscription })),
      ),
  }
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
}
