import type { Registry } from '../../../shared/contracts/registry.ts'
import { type Refusal, refusals } from '../../../shared/contracts/subscription.ts'
import type { TokenEvent } from '../../../shared/contracts/types.ts'

/** A subscription that an event might go to, and every reason why it does not; none: it does. */
export type Candidate = {
  merchantId: string
  /** Absent where the merchant as a whole is out of the question. */
  subscriptionId?: string
  refusals: (Refusal | 'not-concerned' | 'not-registered' | 'no-subscriptions')[]
}

/** Pure: each subscription of the merchants that the event concerns, or of those asked for, by one version of the registry. */
export function explain(registry: Registry, event: TokenEvent, asked: string[] = []): Candidate[] {
  const concerned = new Map(registry.concerned(event).map((merchant) => [merchant.merchantId, merchant]))
  const merchantIds = asked.length > 0 ? asked : [...concerned.keys()]
  return merchantIds.flatMap((merchantId): Candidate[] => {
    const merchant = concerned.get(merchantId)
    if (!merchant) return [{ merchantId, refusals: [registry.entries().has(merchantId) ? 'not-concerned' : 'not-registered'] }]
    if (merchant.subscriptions.length === 0) return [{ merchantId, refusals: ['no-subscriptions'] }]
    return merchant.subscriptions.map((subscription) => ({
      merchantId,
      subscriptionId: subscription.id,
      refusals: refusals(subscription, event),
    }))
  })
}

/** In one line why nobody gets it: `M-1/shop: type, provider; M-1/desk: disabled`. */
export function whyNobody(candidates: Candidate[]): string {
  if (candidates.length === 0) return 'it concerns no registered merchant'
  return candidates
    .map(({ merchantId, subscriptionId, refusals }) => {
      const name = subscriptionId === undefined ? merchantId : `${merchantId}/${subscriptionId}`
      return `${name}: ${refusals.join(', ') || 'wanted'}`
    })
    .join('; ')
}
