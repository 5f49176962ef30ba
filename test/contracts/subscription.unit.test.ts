import t from 'tap'
import { type Refusal, refusals, type Subscription, wants } from '../../shared/contracts/subscription.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'

const common = { eventId: 'a'.repeat(32), late: false, times: { receivedAt: '2026-01-01T00:00:00.000Z', zoneAssumed: false } }
const alipayplus: TokenEvent = {
  ...common,
  type: 'token.canceled',
  provider: 'alipayplus',
  account: 'client',
  pspId: 'psp-1',
  raw: { type: 'TOKEN_CANCELED' },
}
const bluepay: TokenEvent = {
  ...common,
  type: 'token.created',
  provider: 'bluepay',
  account: 'demo',
  channel: { code: 'PH_GCASH_DIRECT_DEBIT' },
  raw: { type: 'token.create.success' },
}
const { pspId: _, ...withoutPsp } = alipayplus
const named = { ...withoutPsp, wallet: { name: 'psp-1', brandName: 'psp-1' } }

const cases: [string, Partial<Subscription>, TokenEvent, Refusal[]][] = [
  ['no filter passes all', {}, alipayplus, []],
  ['no filter passes all', {}, bluepay, []],
  ['disabled', { enabled: false }, alipayplus, ['disabled']],
  ['a type wanted', { types: ['token.created', 'token.canceled'] }, alipayplus, []],
  ['another type', { types: ['token.created'] }, alipayplus, ['type']],
  ['a provider wanted', { providers: ['bluepay'] }, bluepay, []],
  ['another provider', { providers: ['bluepay'] }, alipayplus, ['provider']],
  ['a wallet wanted, by its pspId, on a cancellation too', { wallets: ['psp-9', 'psp-1'] }, alipayplus, []],
  ['another wallet', { wallets: ['psp-9'] }, alipayplus, ['wallet']],
  ['part of an id is another id', { wallets: ['psp'] }, alipayplus, ['wallet']],
  ['an event that names no wallet', { wallets: ['psp-1'] }, withoutPsp, ['wallet']],
  ['names of wallets do not count', { wallets: ['psp-1'] }, named, ['wallet']],
  ['bluepay has no wallets', { wallets: ['psp-1'] }, bluepay, ['wallet']],
  ['a channel wanted', { channels: ['OTHER', 'PH_GCASH_DIRECT_DEBIT'] }, bluepay, []],
  ['another channel', { channels: ['JTWALLET_DIRECT_DEBIT'] }, bluepay, ['channel']],
  ['letters count as they are', { channels: ['ph_gcash_direct_debit'] }, bluepay, ['channel']],
  ['alipayplus has no channels', { channels: ['PH_GCASH_DIRECT_DEBIT'] }, alipayplus, ['channel']],
  ['both can never be', { wallets: ['psp-1'], channels: ['PH_GCASH_DIRECT_DEBIT'] }, bluepay, ['wallet']],
  ['an empty list passes nothing', { types: [], wallets: [] }, alipayplus, ['type', 'wallet']],
  [
    'every filter that is not passed is named',
    { enabled: false, types: [], providers: ['bluepay'], wallets: ['x'], channels: ['x'] },
    alipayplus,
    ['disabled', 'type', 'provider', 'wallet', 'channel'],
  ],
]

t.test('an event goes to a subscription exactly if it passes every filter, and what keeps it away is named', async (t) => {
  for (const [name, filters, event, expected] of cases) {
    const subscription = { id: 'shop', enabled: true, ...filters }
    t.strictSame(refusals(subscription, event), expected, `${name}: ${JSON.stringify(filters)}`)
    t.equal(wants(subscription, event), expected.length === 0, name)
  }
})
