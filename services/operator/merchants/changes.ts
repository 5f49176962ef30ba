/** What putting entries does to the registry, and what is odd about them. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Subscription } from '../../../shared/contracts/subscription.ts'
import { providers } from '../../../shared/contracts/topics.ts'
import type { Merchant } from '../../../shared/contracts/types.ts'
import type { RegistryRead } from './registry-topic.ts'

export type Change = {
  merchantId: string
  change: 'added' | 'changed' | 'removed' | 'unchanged'
  /** Paths of what differs, of a changed entry. */
  members?: string[]
}

/** Members in another order are no change. An entry whose latest record is unreadable is always written. */
export function changesOf({ registry, unreadable }: RegistryRead, entries: Merchant[]): Change[] {
  const broken = new Set(unreadable)
  return entries.map((entry) => {
    const { merchantId } = entry
    const present = registry.entries().get(merchantId)
    if (present === undefined) return { merchantId, change: 'added' }
    const members = differences(present, entry)
    return members.length > 0 || broken.has(merchantId)
      ? { merchantId, change: 'changed', members }
      : { merchantId, change: 'unchanged' }
  })
}

export const countChanges = (changes: Change[]): Record<Change['change'], number> => {
  const counts = { added: 0, changed: 0, removed: 0, unchanged: 0 }
  for (const { change } of changes) counts[change]++
  return counts
}

/** Paths of the members in which two values differ. */
export function differences(before: unknown, after: unknown, path = ''): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isObject(before) || !isObject(after)) return [path]
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap((name) => differences(before[name], after[name], `${path}/${name}`))
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What is allowed and seldom meant: a subscription that can match nothing, two that can both match one event. */
export function warningsOf({ merchantId, subscriptions }: Merchant): string[] {
  const enabled = subscriptions.filter((subscription) => subscription.enabled)
  const idle = enabled
    .filter((subscription) => !canMatch(subscription))
    .map(({ id }) => `${merchantId}: no event can pass all filters of subscription ${id}`)
  const pairs = enabled.flatMap((one, index) => enabled.slice(index + 1).map((other) => [one, other] as const))
  const overlapping = pairs
    .filter(([one, other]) => canMatch(both(one, other)))
    .map(
      ([{ id }, other]) =>
        `${merchantId}: subscriptions ${id} and ${other.id} overlap; an event that matches both gives two syncs`,
    )
  return [...idle, ...overlapping]
}

const lists = ['types', 'providers', 'wallets', 'channels'] as const

/** Wallets are filtered by what only alipayplus sends, channels by what only bluepay sends. */
const excludes = { alipayplus: 'channels', bluepay: 'wallets' } as const

const canMatch = (filters: Partial<Subscription>): boolean =>
  lists.every((name) => filters[name]?.length !== 0) &&
  providers.some((provider) => (filters.providers?.includes(provider) ?? true) && filters[excludes[provider]] === undefined)

/** The filters that let through what both let through. */
function both(one: Subscription, other: Subscription): Partial<Subscription> {
  const shared = lists.flatMap((name) => {
    const [a, b]: (readonly string[] | undefined)[] = [one[name], other[name]]
    if (a === undefined && b === undefined) return []
    return [[name, a && b ? a.filter((value) => b.includes(value)) : (a ?? b)]]
  })
  return Object.fromEntries(shared)
}
