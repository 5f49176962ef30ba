/**
 * P3, to the record: every raw record ends as exactly one of event, duplicate, dead letter. Counted by origin position over what a
 * `read_committed` reader finds in the topics, not by anybody's own counters. Pure.
 */

/** What one record says about where a raw record went; `at` is the raw record's timestamp. */
export type Trace =
  | { kind: 'raw'; position: string }
  | { kind: 'event'; origin: string; eventId: string; at: number }
  | { kind: 'duplicate'; origin: string; conflict: boolean }
  | { kind: 'dead-letter'; origin: string }
  | { kind: 'sync'; syncId: string; merchantId: string }
  | { kind: 'lost-sync'; origin: string }

/** One distinct change that was sent, as far as the accounting wants to know it. */
export type SentChange = { outcome: 'event' | 'dead-letter'; eventId?: string; acknowledged: number }

export type Accounting = {
  raw: number
  events: number
  duplicates: number
  conflicts: number
  deadLetters: number
  syncs: Map<string, number>
  /** Distinct changes sent that must have an event, and those that have exactly one. */
  changes: { sent: number; found: number }
  /** Raw records that are not accounted for yet: the only problem that time may mend. */
  open: number
  /** Sentences; none: the equation holds and every change has its one event. */
  problems: string[]
}

/** Two events of one change closer than this are one too many; further apart the second is promised to be an event again. */
const windowMs = 72 * 60 * 60 * 1000

export function account(traces: Iterable<Trace>, sent: SentChange[]): Accounting {
  const raw = new Set<string>()
  const ends = new Map<string, number>()
  const eventTimes = new Map<string, number[]>()
  const syncIds = new Map<string, number>()
  const syncs = new Map<string, number>()
  const counts = { event: 0, duplicate: 0, 'dead-letter': 0, conflict: 0, 'lost-sync': 0 }
  const add = <K>(map: Map<K, number>, key: K) => map.set(key, (map.get(key) ?? 0) + 1)

  for (const trace of traces) {
    switch (trace.kind) {
      case 'raw':
        raw.add(trace.position)
        continue
      case 'sync':
        add(syncIds, trace.syncId)
        add(syncs, trace.merchantId)
        continue
      case 'lost-sync':
        counts['lost-sync']++
        continue
      case 'event':
        eventTimes.set(trace.eventId, [...(eventTimes.get(trace.eventId) ?? []), trace.at])
        break
      case 'duplicate':
        if (trace.conflict) counts.conflict++
        break
      case 'dead-letter':
        break
    }
    counts[trace.kind]++
    add(ends, trace.origin)
  }

  const open = [...raw].filter((position) => !ends.has(position))
  const twice = [...ends].filter(([, times]) => times > 1).map(([origin]) => origin)
  const strange = [...ends.keys()].filter((origin) => !raw.has(origin))
  const doubled = [...eventTimes].filter(([, times]) => areTooClose(times)).map(([eventId]) => eventId)
  const repeatedSyncs = [...syncIds].filter(
    ([syncId, times]) => times > (eventTimes.get(syncId.split('.')[0] as string)?.length ?? 0),
  )
  const expected = sent
    .filter(({ outcome, acknowledged }) => outcome === 'event' && acknowledged > 0)
    .map(({ eventId }) => eventId as string)
  const silent = expected.filter((eventId) => !eventTimes.has(eventId))
  const wrong = new Set([...silent, ...doubled])
  return {
    raw: raw.size,
    events: counts.event,
    duplicates: counts.duplicate,
    conflicts: counts.conflict,
    deadLetters: counts['dead-letter'],
    syncs,
    changes: { sent: expected.length, found: expected.filter((eventId) => !wrong.has(eventId)).length },
    open: open.length,
    problems: [
      ...problem(open, 'raw records ended nowhere'),
      ...problem(twice, 'raw records ended more than once'),
      ...problem(strange, 'origins are not in the raw topics'),
      ...problem(doubled, 'changes have more than one event'),
      ...problem(silent, 'acknowledged changes have no event'),
      ...problem(
        repeatedSyncs.map(([syncId]) => syncId),
        'merchant syncs are there more often than their event',
      ),
      ...(counts['lost-sync'] > 0 ? [`${counts['lost-sync']} events became dead letters of merchant-sync`] : []),
    ],
  }
}

function areTooClose(times: number[]): boolean {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted.some((time, index) => index > 0 && time - (sorted[index - 1] as number) <= windowMs)
}

function problem(found: string[], what: string): string[] {
  return found.length === 0 ? [] : [`${found.length} ${what}, such as ${found.slice(0, 3).join(', ')}`]
}

/** The accounting as lines for people. */
export function accountingLines({
  raw,
  events,
  duplicates,
  conflicts,
  deadLetters,
  syncs,
  changes,
  problems,
}: Accounting): string[] {
  const sum = events + duplicates + deadLetters
  const perMerchant = [...syncs]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([merchantId, count]) => `  ${merchantId}: ${count}`)
  return [
    `raw ${raw} ${raw === sum ? '=' : '≠'} events ${events} + duplicates ${duplicates} + dead letters ${deadLetters}`,
    `${conflicts} of the duplicates had other content than the event that stands (conflicts)`,
    `${changes.found} of ${changes.sent} distinct changes sent have exactly one event`,
    'Merchant syncs:',
    ...(perMerchant.length > 0 ? perMerchant : ['  none']),
    ...problems.map((sentence) => `PROBLEM: ${sentence}`),
  ]
}
