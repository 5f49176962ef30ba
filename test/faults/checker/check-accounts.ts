import type { Found } from './problems.ts'
import { at, type Place, type RawRecord, type Run } from './run.ts'

type Account = { raw: RawRecord; normalized: Place[]; ends: Place[]; deadInNormalizer: number }
type Outcome = Place & { origin: string }

/**
 * raw = events + duplicates + dead letters, record by record: each raw record ended exactly once, nothing ended that is no raw record, and
 * all of it on the partition number of its origin, so the equation holds for each topic and partition. The normalizer's half as well.
 */
export function checkAccounts({ raw, normalized, events, duplicates, deadLetters, unreadable }: Run, found: Found): void {
  const accounts = new Map<string, Account>(
    raw.map((record) => [at(record), { raw: record, normalized: [], ends: [], deadInNormalizer: 0 }]),
  )
  function accountOf(outcome: Outcome): Account | undefined {
    const account = accounts.get(outcome.origin)
    if (!account) found('origin-unknown', at(outcome), outcome.origin)
    else if (account.raw.partition !== outcome.partition) found('partition-changed', at(outcome), outcome.origin)
    return account
  }

  for (const record of unreadable) found('unreadable', at(record))
  for (const record of normalized) accountOf(record)?.normalized.push(record)
  for (const record of events) accountOf(record)?.ends.push(record)
  for (const record of duplicates) accountOf(record)?.ends.push(record)
  for (const record of deadLetters) {
    const account = accountOf(record)
    account?.ends.push(record)
    if (account && record.stage === 'normalizer') account.deadInNormalizer++
  }

  for (const { raw, normalized, ends, deadInNormalizer } of accounts.values()) {
    if (ends.length === 0) found('unaccounted', at(raw), ...normalized.map(at))
    if (ends.length > 1) found('accounted-twice', at(raw), ...ends.map(at))
    if (normalized.length + deadInNormalizer > 1) found('normalized-twice', at(raw), ...normalized.map(at))
    if (normalized.length === 0 && ends.length > deadInNormalizer) found('never-normalized', at(raw), ...ends.map(at))
  }
}
