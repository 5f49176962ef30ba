import type { Merchant, TokenEvent } from '../../shared/contracts/types.ts'
import { checkMerchant } from '../../shared/contracts/validate.ts'

type Subscription = Merchant['subscriptions'][number]
export type Match = { merchantId: string; subscription: Subscription }

/** Every merchant's subscriptions as of one position of the registry topic, found by merchant id or auth client id. */
export type Registry = {
  /** Applies the next record of `merchants.v1`. Mistakes leave the entry as it was, and are returned. */
  apply: (record: { offset: number; key: Buffer | null; value: Buffer | null }) => string[]
  /** Offset of the last record applied; -1 before the first. Recorded in each sync. */
  offset: () => number
  merchants: () => number
  match: (event: TokenEvent) => Match[]
}

export function createRegistry(): Registry {
  const entries = new Map<string, Merchant>()
  /** An auth client may belong to several merchants. */
  const byAuthClient = new Map<string, Set<string>>()
  let applied = -1

  function remove(merchantId: string): void {
    for (const client of entries.get(merchantId)?.authClientIds ?? []) byAuthClient.get(client)?.delete(merchantId)
    entries.delete(merchantId)
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
    merchants: () => entries.size,
    match(event) {
      const concerned = new Set(event.authClientId ? byAuthClient.get(event.authClientId) : [])
      if (event.merchantId && entries.has(event.merchantId)) concerned.add(event.merchantId)
      return [...concerned].sort().flatMap((merchantId) => {
        const subscriptions = entries.get(merchantId)?.subscriptions ?? []
        return subscriptions
          .filter((subscription) => wants(subscription, event))
          .map((subscription) => ({ merchantId, subscription }))
      })
    },
  }
}

/** An absent filter matches all. */
const wants = ({ enabled, types, providers }: Subscription, event: TokenEvent): boolean =>
  enabled && (types?.includes(event.type) ?? true) && (providers?.includes(event.provider) ?? true)

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
}
