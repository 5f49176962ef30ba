/**
 * What only the sender can check: each change that was acknowledged has exactly one event. That every raw record ended as exactly one of
 * event, duplicate and dead letter is `operator account`'s to say. Pure.
 */

/** One distinct change that was sent, as far as the accounting wants to know it. */
export type SentChange = { outcome: 'event' | 'dead-letter'; eventId?: string; acknowledged: number }

/** What `operator account --json` says, as far as it is read here. */
export type OperatorAccount = {
  totals: Record<
    'raw' | 'events' | 'duplicates' | 'conflicts' | 'deadLetters' | 'missing' | 'twice' | 'strangeOrigins',
    number
  > & {
    inFlight: { normalizer: number; deduplicator: number }
    beforeMerchantSync: number
  }
  problems: { problem: string; position: string; detail: string }[]
  merchantSync: { syncs: Record<string, number>; deadLetters: { count: number } }
}

/** A record of the public topic (`at`: the raw record's timestamp), and one of the sync topic. */
export type Trace = { kind: 'event'; eventId: string; at: number } | { kind: 'sync'; syncId: string }

/** Distinct changes sent that must have an event, and those that have exactly one; the problems are sentences. */
export type Changes = { sent: number; found: number; problems: string[] }

/** Two events of one change closer than this are one too many; further apart the second is promised to be an event again. */
const windowMs = 72 * 60 * 60 * 1000

export function checkChanges(traces: Iterable<Trace>, sent: SentChange[]): Changes {
  const eventTimes = new Map<string, number[]>()
  const syncIds = new Map<string, number>()
  for (const trace of traces) {
    if (trace.kind === 'event') eventTimes.set(trace.eventId, [...(eventTimes.get(trace.eventId) ?? []), trace.at])
    else syncIds.set(trace.syncId, (syncIds.get(trace.syncId) ?? 0) + 1)
  }
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
    sent: expected.length,
    found: expected.filter((eventId) => !wrong.has(eventId)).length,
    problems: [
      ...problem(doubled, 'changes have more than one event'),
      ...problem(silent, 'acknowledged changes have no event'),
      ...problem(
        repeatedSyncs.map(([syncId]) => syncId),
        'merchant syncs are there more often than their event',
      ),
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

/** Records that a stage or merchant-sync still has before it: the only problem that time may mend. */
export const openRecords = ({ totals: { inFlight, beforeMerchantSync } }: OperatorAccount) =>
  inFlight.normalizer + inFlight.deduplicator + beforeMerchantSync

/** Everything that is wrong, as sentences; none: the equation holds and every change has its one event. */
export function problemsOf(account: OperatorAccount, changes: Changes): string[] {
  const { totals, problems, merchantSync } = account
  const open = openRecords(account)
  const lost = merchantSync.deadLetters.count
  const shown = problems.slice(0, 3).map(({ problem, position, detail }) => `${problem}: ${position}: ${detail}`)
  const more = totals.missing + totals.twice + totals.strangeOrigins - shown.length
  return [
    ...shown,
    ...(more > 0 ? [`${more} more of this kind: operator account --json has their positions`] : []),
    ...(open > 0 ? [`${open} records are still in flight`] : []),
    ...(lost > 0 ? [`${lost} events became dead letters of merchant-sync`] : []),
    ...changes.problems,
  ]
}

/** The accounting as lines for people. */
export function accountingLines(account: OperatorAccount, changes: Changes): string[] {
  const { raw, events, duplicates, conflicts, deadLetters } = account.totals
  const sum = events + duplicates + deadLetters
  const perMerchant = Object.entries(account.merchantSync.syncs)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([merchantId, count]) => `  ${merchantId}: ${count}`)
  return [
    `raw ${raw} ${raw === sum ? '=' : '≠'} events ${events} + duplicates ${duplicates} + dead letters ${deadLetters}`,
    `${conflicts} of the duplicates had other content than the event that stands (conflicts)`,
    `${changes.found} of ${changes.sent} distinct changes sent have exactly one event`,
    'Merchant syncs:',
    ...(perMerchant.length > 0 ? perMerchant : ['  none']),
    ...problemsOf(account, changes).map((sentence) => `PROBLEM: ${sentence}`),
  ]
}
