import type { LookUp } from './look-up.ts'
import type { Found } from './problems.ts'
import { at, type RawRecord, type Run } from './run.ts'

/** Acknowledged ⊆ raw, with equal bytes, counted; and nothing in raw that nobody sent. A retry in the gateway may store more copies. */
export function checkKept({ raw }: Run, { bodies }: LookUp, found: Found): void {
  const kept = new Map<string, RawRecord[]>()
  for (const record of raw) {
    if (record.sha256 === undefined) found('raw-not-opened', at(record))
    else if (!bodies.has(record.sha256)) found('raw-never-sent', at(record))
    else kept.set(record.sha256, [...(kept.get(record.sha256) ?? []), record])
  }
  for (const [sha256, { attempts }] of bodies) {
    const acknowledged = attempts.filter(({ outcome }) => outcome === 'acknowledged')
    const copies = kept.get(sha256) ?? []
    if (copies.length >= acknowledged.length) continue
    const names = acknowledged.map(({ n }) => `attempt ${n}`)
    // Which of them is the lost one nobody can tell: each loss names them all.
    for (let lost = copies.length; lost < acknowledged.length; lost++) found('acknowledged-not-kept', ...names, ...copies.map(at))
  }
}
