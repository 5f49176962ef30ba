import { header } from './headers.ts'
import type { MerchantSync, TokenEvent } from './types.ts'

/**
 * CloudEvents 1.0, Kafka binding, binary mode: the attributes of a record as headers, all UTF-8, none null, none secret; the value is the
 * event's JSON. Mapped by hand, because kafkajs throws on the null headers that the SDK makes; the SDK reads these in a test.
 */
export function tokenEventHeaders(event: TokenEvent): Record<string, string> {
  const attributes = {
    [header.id]: event.eventId,
    [header.source]: `/${event.provider}/${encodeURIComponent(event.account)}`,
    [header.type]: event.type,
    [header.dataschema]: 'urn:token-event:v1',
  }
  return { ...common(event), ...attributes }
}

/** The same for a merchant sync: `ce_id` is the sync id, the same on every attempt and replay. */
export function merchantSyncHeaders({ syncId, merchantId, event }: MerchantSync): Record<string, string> {
  const attributes = {
    [header.id]: syncId,
    [header.source]: `/merchants/${encodeURIComponent(merchantId)}`,
    [header.type]: 'merchant-sync',
    [header.dataschema]: 'urn:merchant-sync:v1',
  }
  return { ...common(event), ...attributes }
}

function common({ times, token }: TokenEvent): Record<string, string> {
  const attributes = { [header.specversion]: '1.0', [header.time]: times.receivedAt, [header.contentType]: 'application/json' }
  return token ? { ...attributes, [header.subject]: token.ref } : attributes
}
