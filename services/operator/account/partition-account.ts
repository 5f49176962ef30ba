/** What became of the raw records of one partition: one byte each, so that 10 million records take 10 MB. Pure. */
import type { RawRange } from './cut.ts'

/** How a raw record ends. */
export type Ending = 'event' | 'duplicate' | 'dead-letter'

/** One line of the account: a range of one raw partition, as `raw + twice = events + duplicates + deadLetters + inFlight + missing`. */
export type PartitionTotals = {
  raw: number
  /** Of the raw records: dead letters sent back, and replayed ones. They are accounted for like any other. */
  redriven: number
  replayed: number
  events: number
  duplicates: number
  /** Duplicates whose content differed from the event that stands. */
  conflicts: number
  deadLetters: number
  /** Without an outcome, because this stage has not committed it. */
  inFlight: { normalizer: number; deduplicator: number }
  /** Events that merchant-sync has not committed; they are counted among the events. */
  beforeMerchantSync: number
  /** No outcome, although all stages have committed it. */
  missing: number
  /** Outcomes beyond the first of their raw record. */
  twice: number
}

/** What became of one origin: its first outcome, another one, or one that no raw record explains. */
export type Verdict = { kind: 'first' } | { kind: 'again'; first: Ending } | { kind: 'no-raw-record' }

export type PartitionAccount = {
  raw: (offset: number, by: 'gateway' | 'redrive' | 'replay') => void
  /** An outcome of this raw record; all raw records come first. */
  ended: (offset: number, ending: Ending) => Verdict
  /** The deduplicator has this raw record's event before it. */
  normalized: (offset: number) => void
  conflict: () => void
  waitsForMerchantSync: () => void
  /** The totals; `onMissing` is called for each missing raw record, in order. */
  close: (onMissing: (offset: number) => void) => PartitionTotals
}

const isRaw = 0b0001
const isNormalized = 0b0010
const endingShift = 2
const endings = [undefined, 'event', 'duplicate', 'dead-letter'] as const satisfies (Ending | undefined)[]
const countedAs = { event: 'events', duplicate: 'duplicates', 'dead-letter': 'deadLetters' } as const

/** `committed`: the normalizer's; -1 if it has none. */
export function createPartitionAccount({ from, to }: Pick<RawRange, 'from' | 'to'>, committed: number): PartitionAccount {
  const marks = new Uint8Array(to - from)
  const totals: PartitionTotals = {
    ...{ raw: 0, redriven: 0, replayed: 0, events: 0, duplicates: 0, conflicts: 0, deadLetters: 0 },
    ...{ inFlight: { normalizer: 0, deduplicator: 0 }, beforeMerchantSync: 0, missing: 0, twice: 0 },
  }
  return {
    raw(offset, by) {
      marks[offset - from] = isRaw
      totals.raw++
      if (by === 'redrive') totals.redriven++
      if (by === 'replay') totals.replayed++
    },
    ended(offset, ending) {
      const mark = marks[offset - from] as number
      if (!(mark & isRaw)) return { kind: 'no-raw-record' }
      totals[countedAs[ending]]++
      const first = endings[mark >> endingShift]
      if (first === undefined) {
        marks[offset - from] = mark | (endings.indexOf(ending) << endingShift)
        return { kind: 'first' }
      }
      totals.twice++
      return { kind: 'again', first }
    },
    normalized(offset) {
      marks[offset - from] = (marks[offset - from] as number) | isNormalized
    },
    conflict: () => void totals.conflicts++,
    waitsForMerchantSync: () => void totals.beforeMerchantSync++,
    close(onMissing) {
      marks.forEach((mark, index) => {
        if (!(mark & isRaw) || mark >> endingShift > 0) return
        if (mark & isNormalized) totals.inFlight.deduplicator++
        else if (from + index >= committed) totals.inFlight.normalizer++
        else {
          totals.missing++
          onMissing(from + index)
        }
      })
      return totals
    },
  }
}
