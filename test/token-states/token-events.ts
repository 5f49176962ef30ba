import { header } from '../../shared/contracts/headers.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'

export const refOf = (n: number) => n.toString(16).padStart(32, '0')

/** A valid event of the n-th token. */
export const tokenEvent = (n: number, overrides: Partial<TokenEvent> = {}): TokenEvent => ({
  eventId: refOf(1_000_000 + n),
  type: 'token.created',
  late: false,
  provider: 'alipayplus',
  account: 'client-1',
  merchantId: 'shop',
  authClientId: 'client-1',
  customerRef: refOf(77),
  token: { ref: refOf(n), status: 'active', expiresAt: '2027-01-01T00:00:00.000Z', scopes: ['PAY'] },
  times: { receivedAt: '2026-01-01T00:00:00.000Z', zoneAssumed: false },
  raw: { type: 'TOKEN_CREATED' },
  sealed: `eyJhbGciOiJkaXIifQ..${'A'.repeat(16)}.AAAA.${'A'.repeat(22)}`,
  ...overrides,
})

export const canceled = (n: number, overrides: Partial<TokenEvent> = {}): TokenEvent =>
  tokenEvent(n, {
    eventId: refOf(2_000_000 + n),
    type: 'token.canceled',
    token: { ref: refOf(n), status: 'inactive' },
    cancellation: { source: 'user' },
    ...overrides,
  })

/** The event as a record of the public topic. */
export const eventRecord = (topic: string, offset: number, event: unknown): SourceRecord => ({
  topic,
  partition: 0,
  offset,
  timestamp: 1_000 + offset,
  key: Buffer.from('key'),
  value: Buffer.from(JSON.stringify(event)),
  headers: { [header.origin]: `raw/0/${offset}` },
})
