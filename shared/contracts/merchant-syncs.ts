import { merchantSyncHeaders } from './cloud-event.ts'
import { header } from './headers.ts'
import type { Match } from './registry.ts'
import type { MerchantSync, TokenEvent } from './types.ts'

/** `key` and `origin` are those of the event's record; `registryOffset` is the version that the match was decided by. */
export type SyncedEvent = { event: TokenEvent; key: string; origin: string; registryOffset: number }

type MerchantSyncRecord = { key: string; value: string; headers: Record<string, string> }

/** The record of one event for one subscription: merchant-sync writes it first, a replay again. Pure. */
export function merchantSyncRecord(
  { merchantId, subscription }: Match,
  { event, key, origin, registryOffset }: SyncedEvent,
): MerchantSyncRecord {
  const syncId = `${event.eventId}.${merchantId}.${subscription.id}`
  const sync: MerchantSync = { syncId, merchantId, subscriptionId: subscription.id, registryOffset, event }
  return {
    // Syncs of one token to one merchant stay in order; another merchant's never wait for them.
    key: `${merchantId}:${event.token?.ref ?? key}`,
    value: JSON.stringify(sync),
    headers: { ...merchantSyncHeaders(sync), [header.origin]: origin },
  }
}
