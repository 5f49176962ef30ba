import { createHistogram } from 'node:perf_hooks'
import { type Change, type Copy, type Delivery, isOdd, type Kind } from './notification.ts'
import type { Verdict } from './verdict.ts'

/** What became of the copies of one change. */
export type Tally = { sent: number; acknowledged: number; conflicts: number }
/** One HTTP request's end; no verdict: no answer. */
export type Attempt = { delivery: Delivery; attempt: number; verdict?: Verdict; reason?: string; durationMs: number }

export type Summary = {
  /** HTTP requests, retries included. */
  sent: number
  acknowledged: number
  refused: number
  callAgain: number
  unanswered: number
  retries: number
  /** Deliveries that no try brought through. Whether such a one was stored nobody can tell. */
  lost: number
  /** Changes sent at least once; each that was acknowledged makes one event, or ends as a dead letter with each of its copies. */
  distinct: number
  distinctAcknowledged: number
  /** Acknowledged copies of changes that make an event, beyond the first of each. */
  duplicates: number
  /** Duplicates whose content differed. */
  conflicts: number
  /** Acknowledged copies of what cannot be understood: as many dead letters. */
  deadLetters: number
  /** Answers that were not as documented. */
  wrongAnswers: number
  kinds: Partial<Record<Kind, number>>
  copies: Partial<Record<Copy, number>>
  latencyMs: { p50: number; p99: number; max: number }
}

export type Ledger = ReturnType<typeof createLedger>

const maxExamples = 10

/**
 * Counts what was sent and what came back. With `keepAll` it remembers every change, for the plan file; without, only those still
 * under way, so that an endless run does not grow.
 */
export function createLedger(keepAll: boolean) {
  const tallies = keepAll ? new Map<Change, Tally>() : new WeakMap<Change, Tally>()
  const kept: Change[] = []
  const latencies = createHistogram()
  const examples = new Set<string>()
  const zero = { sent: 0, acknowledged: 0, refused: 0, callAgain: 0, unanswered: 0, retries: 0, lost: 0 }
  const total = { ...zero, distinct: 0, distinctAcknowledged: 0, duplicates: 0, conflicts: 0, deadLetters: 0, wrongAnswers: 0 }
  const kinds: Summary['kinds'] = {}
  const copies: Summary['copies'] = {}

  function tallyOf(change: Change): Tally {
    const known = tallies.get(change)
    if (known) return known
    const tally = { sent: 0, acknowledged: 0, conflicts: 0 }
    tallies.set(change, tally)
    if (keepAll) kept.push(change)
    total.distinct++
    kinds[change.kind] = (kinds[change.kind] ?? 0) + 1
    return tally
  }

  function acknowledge({ change, copy }: Delivery, tally: Tally): void {
    total.acknowledged++
    tally.acknowledged++
    if (tally.acknowledged === 1) total.distinctAcknowledged++
    if (isOdd(change)) total.deadLetters++
    else if (tally.acknowledged > 1) total.duplicates++
    if (copy === 'conflict' && tally.acknowledged > 1) {
      tally.conflicts++
      total.conflicts++
    }
  }

  return {
    record({ delivery, attempt, verdict, reason, durationMs }: Attempt): void {
      const tally = tallyOf(delivery.change)
      tally.sent++
      total.sent++
      if (attempt > 1) total.retries++
      else copies[delivery.copy] = (copies[delivery.copy] ?? 0) + 1
      if (!verdict) {
        total.unanswered++
        note(`${delivery.change.provider}: ${reason}`)
        return
      }
      latencies.record(Math.max(1, Math.round(durationMs * 1000)))
      if (verdict.result === 'acknowledged') acknowledge(delivery, tally)
      else {
        total[verdict.result === 'refused' ? 'refused' : 'callAgain']++
        note(`${delivery.change.provider} ${delivery.change.kind}: answered ${verdict.code}`)
      }
      if (verdict.mistakes.length > 0) total.wrongAnswers++
      for (const mistake of verdict.mistakes) note(`${delivery.change.provider}: ${mistake}`)
    },
    lose: () => void total.lost++,
    summary(): Summary {
      const ms = (percentile: number) => (total.sent === 0 ? 0 : latencies.percentile(percentile) / 1000)
      return { ...total, kinds, copies, latencyMs: { p50: ms(50), p99: ms(99), max: latencies.count ? latencies.max / 1000 : 0 } }
    },
    /** Kinds of trouble met, in words; not every one of them. */
    trouble: () => [...examples],
    changes: (): [Change, Tally][] => kept.map((change) => [change, tallies.get(change) as Tally]),
  }

  function note(text: string): void {
    if (examples.size < maxExamples) examples.add(text)
  }
}
