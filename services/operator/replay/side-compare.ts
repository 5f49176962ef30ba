/** Today's ending beside the live one. Pure. Nothing sealed and nothing about a person is ever in a difference. */
import type { Ending, EventRecord } from './side-ending.ts'

/** `new`: an event that the public topic does not have. `gone`: one that it has, and that would be a duplicate or a dead letter today. */
export type Finding = 'same' | 'changed' | 'new' | 'gone'

/** One member that is not the same. Without values: both are there, or one, and they may not be shown. */
export type FieldDifference = { field: string; public?: unknown; replay?: unknown }

export type Comparison = { finding: Finding; fields: FieldDifference[] }

/** Members of a token event whose values may be shown. Any other only "differs": what is sealed, what stands for a person, and what is new. */
const shown = new Set([
  ...['eventId', 'type', 'late', 'provider', 'account', 'merchantId', 'authClientId', 'acquirerId', 'pspId'],
  ...['token', 'cancellation', 'wallet', 'channel', 'times', 'raw'],
])

export function compare(today: Ending, live: Ending): Comparison {
  if (today.kind === 'event' && live.kind === 'event') return asComparison(differencesOf(live.record, today.record))
  const outcome = { field: '(outcome)', public: inWords(live), replay: inWords(today) }
  if (today.kind === 'event') return { finding: 'new', fields: [outcome] }
  if (live.kind === 'event') return { finding: 'gone', fields: [outcome] }
  if (today.kind === 'duplicate' && live.kind === 'duplicate') return asComparison(duplicateDifferences(today, live))
  return asComparison(outcome.public === outcome.replay ? [] : [outcome])
}

export function inWords(ending: Ending): string {
  if (ending.kind === 'dead-letter') return `dead letter of the ${ending.stage}: ${ending.reason}`
  return ending.kind
}

const asComparison = (fields: FieldDifference[]): Comparison => ({ finding: fields.length === 0 ? 'same' : 'changed', fields })

type DuplicateEnding = Extract<Ending, { kind: 'duplicate' }>

/**
 * The verdict is that it is one. Of which record, a replay sees only if the chain of copies began within its window, and so did the deduplicator if Redis
 * had forgotten: another holder is no difference, and whether the content conflicts is asked only of the same holder.
 */
function duplicateDifferences({ duplicate: today }: DuplicateEnding, { duplicate: live }: DuplicateEnding): FieldDifference[] {
  if (today.eventId !== live.eventId) return [{ field: 'eventId', public: live.eventId, replay: today.eventId }]
  if (today.holder !== live.holder || today.conflict === live.conflict) return []
  return [{ field: 'conflict', public: live.conflict, replay: today.conflict }]
}

function differencesOf(live: EventRecord, today: EventRecord): FieldDifference[] {
  const differences: FieldDifference[] = []
  if (!live.key.equals(today.key)) differences.push({ field: '(key)' })
  if (live.timestamp !== today.timestamp)
    differences.push({ field: '(timestamp)', public: live.timestamp, replay: today.timestamp })
  for (const { field } of memberDifferences(live.headers, today.headers)) differences.push({ field: `(header ${field})` })
  if (live.value.equals(today.value)) return differences
  const members = memberDifferences(parse(live.value), parse(today.value)).map(hideUnlessShown)
  return [...differences, ...(members.length > 0 ? members : [{ field: '(order or spelling of members)' }])]
}

function hideUnlessShown(difference: FieldDifference): FieldDifference {
  return shown.has(difference.field.split('.')[0] as string) ? difference : { field: difference.field }
}

/** Every leaf that is not the same in both, by its path. Arrays count as leaves. */
function memberDifferences(live: unknown, today: unknown, path = ''): FieldDifference[] {
  if (isObject(live) && isObject(today)) {
    const names = [...new Set([...Object.keys(live), ...Object.keys(today)])].sort()
    return names.flatMap((name) => memberDifferences(live[name], today[name], path ? `${path}.${name}` : name))
  }
  return JSON.stringify(live) === JSON.stringify(today) ? [] : [{ field: path || '(value)', public: live, replay: today }]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
}
