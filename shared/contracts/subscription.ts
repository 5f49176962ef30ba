import type { Merchant, TokenEvent } from './types.ts'

export type Subscription = Merchant['subscriptions'][number]

/** What keeps an event from a subscription of a merchant that it concerns. */
export type Refusal = 'disabled' | 'type' | 'provider' | 'wallet' | 'channel'

/** Each filter stands alone, and an event must pass all. An absent filter passes every event; one that is there, only what it lists. */
const filters: [Refusal, (subscription: Subscription, event: TokenEvent) => boolean][] = [
  ['disabled', ({ enabled }) => enabled],
  ['type', ({ types }, { type }) => types?.includes(type) ?? true],
  ['provider', ({ providers }, { provider }) => providers?.includes(provider) ?? true],
  ['wallet', ({ wallets }, { pspId }) => wallets === undefined || (pspId !== undefined && wallets.includes(pspId))],
  [
    'channel',
    ({ channels }, { channel }) => channels === undefined || (channel !== undefined && channels.includes(channel.code)),
  ],
]

/** Whether an event that concerns the merchant goes to this subscription. */
export const wants = (subscription: Subscription, event: TokenEvent): boolean =>
  filters.every(([, passes]) => passes(subscription, event))

/** Every filter that the event does not pass; none if the subscription wants it. */
export const refusals = (subscription: Subscription, event: TokenEvent): Refusal[] =>
  filters.filter(([, passes]) => !passes(subscription, event)).map(([refusal]) => refusal)
