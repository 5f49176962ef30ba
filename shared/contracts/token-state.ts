/**
 * What an event makes of its token: the whole rule of `token-states.v1`. The stage applies it, and so does whoever has read the states and
 * follows the events. Pure: no clock, so the same events give the same states.
 */
import type { TokenEvent, TokenState } from './types.ts'

/** Positions, as topic/partition/offset: of the raw record, and of the event in `token-events.v1`. */
export type EventPlace = Pick<TokenState, 'origin' | 'position'>

/** A token that has ended changes no more, over all time: a creation that comes later revives nothing. */
export const hasEnded = ({ status }: Pick<TokenState, 'status'>): boolean => status === 'canceled' || status === 'expired'

/**
 * The state that an event gives its token, unless that one has ended before. Undefined: it gives none, since it names no token, or is late:
 * accepted after its token's end. Nothing sealed and nothing personal goes into it, since it is kept for ever.
 */
export function stateOf(event: TokenEvent, { origin, position }: EventPlace): TokenState | undefined {
  const { eventId, type, late, provider, account, token, times } = event
  if (!token || late) return undefined
  const { merchantId, authClientId, acquirerId, pspId, agreementId, requestId, cancellation, wallet, channel } = event
  return {
    tokenRef: token.ref,
    status: endings[type] ?? token.status,
    eventId,
    type,
    provider,
    account,
    merchantId,
    authClientId,
    acquirerId,
    pspId,
    agreementId,
    requestId,
    expiresAt: token.expiresAt,
    refreshExpiresAt: token.refreshExpiresAt,
    scopes: token.scopes,
    cancellation,
    wallet,
    channel,
    origin,
    position,
    updatedAt: times.receivedAt,
  }
}

const endings: Partial<Record<TokenEvent['type'], TokenState['status']>> = {
  'token.canceled': 'canceled',
  'token.expired': 'expired',
}
