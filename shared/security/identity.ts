import { createHmac, type KeyObject } from 'node:crypto'
import { canonicalText, type DeduplicationKey, type Fields } from '../contracts/deduplication-key.ts'
import type { Provider } from '../contracts/topics.ts'

/** Ids and refs: 128 bits. Collisions need 10^16 events before they are worth a thought. */
const idDigits = 32

/**
 * Every identity in the pipeline: HMAC-SHA-256 over a JSON array that begins with purpose, provider and account, so that no two
 * uses of the key ever meet on the same text (`design.md` §3). Never rotate this key in place: ids, refs, partitions and claims
 * all change with it.
 */
export function createIdentity(key: KeyObject) {
  const mac = (purpose: string, provider: Provider, account: string, fields: readonly string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify([purpose, provider, account, ...fields]))
      .digest('hex')
      .slice(0, idDigits)

  return {
    /** The id of a change: the same for every copy of it, whatever its HTTP signature or time. */
    eventId: (provider: Provider, account: string, fields: readonly string[]) => mac('event', provider, account, fields),
    /** Stands for the token wherever the token itself must not be. */
    tokenRef: (provider: Provider, account: string, token: string) => mac('token', provider, account, [token]),
    customerRef: (provider: Provider, account: string, customer: string) => mac('customer', provider, account, [customer]),
    /** A function of the de-duplication key, so that all copies of a change meet on one partition; per token where there is one. */
    partitionKey: (provider: Provider, account: string, key: DeduplicationKey) =>
      key.token === undefined ? mac('key', provider, account, key.fields) : mac('token', provider, account, [key.token]),
    /** Where a verified body goes that has no de-duplication key: spread by its bytes. */
    unreadableKey: (provider: Provider, account: string, body: Buffer) =>
      mac('unreadable', provider, account, [body.toString('base64')]),
    /** Over the business fields as received, in whatever spelling; over the bytes when they are no JSON object. */
    contentHash: (provider: Provider, account: string, content: Fields | Buffer) =>
      mac('content', provider, account, [Buffer.isBuffer(content) ? content.toString('base64') : canonicalText(content)]),
  }
}
export type Identity = ReturnType<typeof createIdentity>
