/** The account of a cut: every record that was read finds its raw record by its origin. Pure. */
import { header } from '../../../shared/contracts/headers.ts'
import { formatPosition, type Topics } from '../../../shared/contracts/topics.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import type { Cut, RawRange } from './cut.ts'
import { createPartitionAccount, type Ending, type PartitionAccount, type PartitionTotals } from './partition-account.ts'

/** `position` is the raw record's where there is one, else that of the record with the strange origin. */
export type Problem = { problem: 'missing' | 'twice' | 'strange-origin'; position: string; detail: string }

export type Row = RawRange & PartitionTotals
export type Account = {
  rows: Row[]
  /** At most as many as asked for; `strangeOrigins` and the rows have the counts. */
  problems: Problem[]
  /** Outcomes whose origin no raw record explains. */
  strangeOrigins: number
  /** Outcomes of raw records that have left retention. */
  outcomesOfLeftRecords: number
  /** Outcomes of dead letters of the deduplicator that were sent back: not of raw records. */
  redrivenLater: number
  /** Syncs of the events in the range, by merchant; without those that an operator had written again, which are counted beside. */
  syncs: Map<string, number>
  replayedSyncs: number
  /** Events in the range that became dead letters of merchant-sync, as positions of those, at most as many as asked for. */
  lostSyncs: { count: number; positions: string[] }
}

export type Accounting = {
  /** Makes room for these ranges. All raw records of a range come before the first other record; `close` gives the room back. */
  open: (ranges: RawRange[]) => void
  add: (record: SourceRecord) => void
  close: () => void
  result: () => Account
}

export function createAccounting(topics: Topics, cut: Cut, maxProblems: number): Accounting {
  const ranges = new Map(cut.raw.map((range) => [`${range.topic}/${range.partition}`, range]))
  const open = new Map<string, { range: RawRange; account: PartitionAccount }>()
  const account: Account = {
    ...{ rows: [], problems: [], strangeOrigins: 0, outcomesOfLeftRecords: 0, redrivenLater: 0 },
    ...{ syncs: new Map(), replayedSyncs: 0, lostSyncs: { count: 0, positions: [] } },
  }
  const report = (problem: Problem) => {
    if (account.problems.length < maxProblems) account.problems.push(problem)
  }
  const endings = new Map<string, Ending>([
    [topics.events, 'event'],
    [topics.duplicates, 'duplicate'],
    [topics.deadLetters.normalizer, 'dead-letter'],
    [topics.deadLetters.deduplicator, 'dead-letter'],
  ])

  function addRaw({ offset, headers }: SourceRecord, opened: PartitionAccount): void {
    // The copy of a redriven record has both headers, and is a replay's.
    const sentBack = headers[header.redriveOf] !== undefined ? 'redrive' : 'gateway'
    opened.raw(offset, headers[header.replayId] !== undefined ? 'replay' : sentBack)
  }

  function addOutcome(record: SourceRecord, ending: Ending): void {
    if (isRedrivenLater(record, ending, topics)) {
      account.redrivenLater++
      return
    }
    const strange = settle(record, ending)
    if (!strange) return
    account.strangeOrigins++
    report({ problem: 'strange-origin', position: positionOf(record), detail: strange })
  }

  /** Counts an outcome for its raw record, or says why there is none. */
  function settle(record: SourceRecord, ending: Ending): string | undefined {
    const text = record.headers[header.origin] ?? '(none)'
    const origin = readOrigin(text)
    const range = origin && ranges.get(origin.where)
    if (!range) return `its origin, ${text}, is in no raw topic`
    if (range.partition !== record.partition) return `its origin, ${text}, is in another partition`
    if (origin.offset >= range.end) return `its origin, ${text}, is beyond the end of the raw topic`
    if (origin.offset < range.low) account.outcomesOfLeftRecords++
    const opened = open.get(origin.where)
    if (!opened || origin.offset < range.from || origin.offset >= range.to) return undefined
    const verdict = opened.account.ended(origin.offset, ending)
    if (verdict.kind === 'no-raw-record') return `there is no record at its origin, ${text}`
    if (verdict.kind === 'again') {
      const detail = `ended as ${verdict.first}, and again as ${ending} at ${positionOf(record)}`
      report({ problem: 'twice', position: text, detail })
    }
    if (ending === 'duplicate' && record.value?.includes('"conflict":true')) opened.account.conflict()
    if (ending === 'event' && record.offset >= committedAt(cut, 'merchant-sync', record)) opened.account.waitsForMerchantSync()
    return undefined
  }

  /** The range that a record's origin lies in, if it is accounted for. */
  function rangeOf({ headers }: SourceRecord): { where: string; offset: number } | undefined {
    const origin = readOrigin(headers[header.origin])
    const range = origin && ranges.get(origin.where)
    return range && origin.offset >= range.from && origin.offset < range.to ? origin : undefined
  }

  return {
    open(wanted) {
      for (const range of wanted) {
        const where = `${range.topic}/${range.partition}`
        open.set(where, { range, account: createPartitionAccount(range, committedAt(cut, 'normalizer', range)) })
      }
    },
    add(record) {
      const ending = endings.get(record.topic)
      if (ending) return addOutcome(record, ending)
      const opened = open.get(`${record.topic}/${record.partition}`)
      if (opened) return addRaw(record, opened.account)
      const origin = rangeOf(record)
      if (!origin) return
      switch (record.topic) {
        case topics.normalized:
          return open.get(origin.where)?.account.normalized(origin.offset)
        case topics.syncs: {
          if (record.headers[header.replayId] !== undefined) {
            account.replayedSyncs++
            return
          }
          const merchant = merchantOf(record)
          account.syncs.set(merchant, (account.syncs.get(merchant) ?? 0) + 1)
          return
        }
        case topics.deadLetters['merchant-sync']: {
          const { positions } = account.lostSyncs
          account.lostSyncs.count++
          if (positions.length < maxProblems) positions.push(positionOf(record))
        }
      }
    },
    close() {
      for (const [where, { range, account: opened }] of open) {
        const onMissing = (offset: number) => {
          const detail = 'both stages have committed it, and it is neither event nor duplicate nor dead letter'
          report({ problem: 'missing', position: `${where}/${offset}`, detail })
        }
        account.rows.push({ ...range, ...opened.close(onMissing) })
      }
      open.clear()
    },
    result: () => account,
  }
}

/**
 * Of a dead letter of the deduplicator that was sent back: it is its own origin, a position of the normalized topic, and carries `redrive-of`
 * on; only the record of a duplicate has headers of its own. (The normalizer's dead letters keep the header from the raw record that they are of.)
 */
function isRedrivenLater({ topic, headers }: SourceRecord, ending: Ending, topics: Topics): boolean {
  if (topic === topics.deadLetters.normalizer) return false
  if (ending === 'duplicate') return readOrigin(headers[header.origin])?.where.startsWith(`${topics.normalized}/`) ?? false
  return headers[header.redriveOf] !== undefined
}

/** Without a committed offset everything is in flight. */
const committedAt = (cut: Cut, stage: keyof Cut['committed'], { topic, partition }: { topic: string; partition: number }) =>
  Math.max(0, cut.committed[stage].get(`${topic}/${partition}`) ?? 0)

const positionOf = ({ topic, partition, offset }: SourceRecord) => formatPosition({ topic, partition, offset: String(offset) })

function readOrigin(text = ''): { where: string; offset: number } | undefined {
  const end = text.lastIndexOf('/')
  const offset = text.slice(end + 1)
  return end > 0 && /^\d{1,15}$/.test(offset) ? { where: text.slice(0, end), offset: Number(offset) } : undefined
}

function merchantOf({ headers }: SourceRecord): string {
  const source = headers[header.source] ?? '(none)'
  try {
    return decodeURIComponent(source.replace('/merchants/', ''))
  } catch {
    return source
  }
}
