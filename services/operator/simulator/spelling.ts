import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import type { Provider } from '../../../shared/contracts/topics.ts'
import type { Style } from './notification.ts'
import type { Random } from './random.ts'

/** As the reference pages print it. */
export const documentedStyle: Style = {
  order: 'documented',
  blanks: 'compact',
  absent: 'left-out',
  separator: ', ',
  signature: 'percent-encoded',
  time: 'offset',
  headers: 'documented',
  contentType: 'application/json; charset=UTF-8',
  key: 0,
}

/** Every documented spelling of each part, the usual one more often. */
export function pickStyle(random: Random): Style {
  const usually = <T>(documented: T, others: readonly T[]): T => (random.chance(0.7) ? documented : random.pick(others))
  return {
    order: usually<Style['order']>('documented', ['sorted', 'reversed']),
    blanks: usually<Style['blanks']>('compact', ['pretty']),
    absent: usually<Style['absent']>('left-out', ['null', 'empty']),
    separator: usually<Style['separator']>(', ', [',']),
    signature: usually<Style['signature']>('percent-encoded', ['base64', 'base64url']),
    time: usually<Style['time']>('offset', ['utc', 'fraction', 'epoch']),
    headers: usually<Style['headers']>('documented', ['lower-case']),
    contentType: usually<Style['contentType']>('application/json; charset=UTF-8', ['application/json']),
    key: random.integer(0, 5),
  }
}

/** Optional fields that a notification may carry empty: missing, null and "" are one (`providers.md` §2.4). */
const optional: Record<Provider, string[]> = {
  alipayplus: ['referenceAgreementId', 'customerId', 'extendInfo'],
  bluepay: ['countryCode', 'expiresTime', 'inactiveType'],
}

/** The fields in the style's order, with what is absent left out, null or empty. */
export function arrange(provider: Provider, fields: Fields, { order, absent }: Style): Fields {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined)
  const empty = optional[provider]
    .filter((name) => fields[name] === undefined)
    .map((name) => [name, absent === 'null' ? null : ''])
  const entries: [string, unknown][] = absent === 'left-out' ? present : [...present, ...(empty as [string, unknown][])]
  if (order === 'reversed') entries.reverse()
  if (order === 'sorted') entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}

/** The text of a notification; what is a text already (because it is no JSON) stays as it is. */
export function spell(provider: Provider, content: Fields | string, style: Style): string {
  if (typeof content === 'string') return content
  return JSON.stringify(arrange(provider, content, style), null, style.blanks === 'pretty' ? 2 : undefined)
}
