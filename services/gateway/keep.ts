import { header } from '../../shared/contracts/headers.ts'
import type { Topics } from '../../shared/contracts/topics.ts'
import { PublishError, type Publisher } from '../../shared/kafka/publisher.ts'
import type { RawSealer } from '../../shared/security/seal-raw.ts'
import type { Notification, ProviderRoute, Result } from './provider-route.ts'

/**
 * Keeps a verified notification: the exact bytes, sealed, into the provider's raw topic. Resolves to `accepted` only after Kafka
 * acknowledged (P1). A sender that has hung up meanwhile is no reason to drop what it signed.
 */
export function createKeep(options: { publisher: Pick<Publisher, 'publish'>; sealer: RawSealer; topics: Topics }) {
  const { publisher, sealer, topics } = options

  return async (
    { provider, deadlineMs }: ProviderRoute,
    notification: Notification,
    body: Buffer,
    receivedAt: number,
  ): Promise<Result> => {
    const { account, key, headers } = notification
    const record = {
      topic: topics.raw[provider],
      key,
      value: sealer.seal(provider, account, body),
      headers: { ...headers, [header.provider]: provider, [header.account]: account, [header.contentType]: 'application/jose' },
    }
    try {
      await publisher.publish(record, receivedAt + deadlineMs)
      return 'accepted'
    } catch (error) {
      if (error instanceof PublishError) return error.reason === 'queue-full' ? 'busy' : 'unavailable'
      throw error
    }
  }
}
export type Keep = ReturnType<typeof createKeep>
