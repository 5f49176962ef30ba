/** An account as text for people and as a document for machines. Pure. */
import { type Answer, table } from '../answer.ts'
import type { Account, Row } from './account.ts'
import type { PartitionTotals } from './partition-account.ts'

type Totals = PartitionTotals & {
  strangeOrigins: number
  leftRetention: number
  notJudged: number
  outcomesOfLeftRecords: number
}

const shownProblems = 10

export function reportAccount(account: Account, { at, uncommitted }: { at: string; uncommitted: string[] }): Answer {
  const totals = totalsOf(account)
  const holds = totals.missing + totals.twice + totals.strangeOrigins === 0
  const { problems, syncs, replayedSyncs, lostSyncs, redrivenLater } = account
  const rows = account.rows.toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition)
  const document = {
    ...{ at, holds, totals, partitions: rows.map(({ low, end: _, ...row }) => ({ ...row, leftRetention: low })) },
    problems,
    merchantSync: { syncs: Object.fromEntries(syncs), replayed: replayedSyncs, deadLetters: lostSyncs },
    ...{ redrivenLater, uncommitted },
  }
  const lines = [
    equation(totals),
    '',
    table(heading, [...rows.map(cellsOf), ['total', '', ...countsOf(totals)]]),
    '',
    ...notes(account, totals, uncommitted),
    ...problemLines(account, totals),
    holds ? 'The account holds.' : 'The account does not hold.',
  ]
  return { fulfilled: holds, document, text: lines.join('\n') }
}

function totalsOf({ rows, strangeOrigins, outcomesOfLeftRecords }: Account): Totals {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    raw: sum((row) => row.raw),
    redriven: sum((row) => row.redriven),
    replayed: sum((row) => row.replayed),
    events: sum((row) => row.events),
    duplicates: sum((row) => row.duplicates),
    conflicts: sum((row) => row.conflicts),
    deadLetters: sum((row) => row.deadLetters),
    inFlight: { normalizer: sum((row) => row.inFlight.normalizer), deduplicator: sum((row) => row.inFlight.deduplicator) },
    beforeMerchantSync: sum((row) => row.beforeMerchantSync),
    missing: sum((row) => row.missing),
    twice: sum((row) => row.twice),
    strangeOrigins,
    leftRetention: sum((row) => row.low),
    notJudged: sum((row) => row.from - row.low),
    outcomesOfLeftRecords,
  }
}

function equation({ raw, events, duplicates, deadLetters, inFlight }: Totals): string {
  const waiting = inFlight.normalizer + inFlight.deduplicator
  const sign = raw === events + duplicates + deadLetters + waiting ? '=' : '≠'
  return `raw ${raw} ${sign} events ${events} + duplicates ${duplicates} + dead letters ${deadLetters} + in flight ${waiting}`
}

const heading = [
  ...['raw partition', 'offsets', 'raw', 'events', 'duplicates', 'dead', 'missing', 'twice'],
  ...['in flight: normalizer', 'deduplicator', '(merchant-sync)'],
]
const countsOf = ({ raw, events, duplicates, deadLetters, missing, twice, inFlight, beforeMerchantSync }: PartitionTotals) =>
  [
    ...[raw, events, duplicates, deadLetters, missing, twice],
    ...[inFlight.normalizer, inFlight.deduplicator, beforeMerchantSync],
  ].map(String)
const cellsOf = (row: Row) => [
  `${row.topic}/${row.partition}`,
  row.to > row.from ? `${row.from}-${row.to - 1}` : '-',
  ...countsOf(row),
]

function notes({ syncs, replayedSyncs, lostSyncs, redrivenLater }: Account, totals: Totals, uncommitted: string[]): string[] {
  const perMerchant = [...syncs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([merchant, count]) => `${merchant} ${count}`)
  const where = lostSyncs.positions.slice(0, shownProblems).join(', ')
  const said: [number, string][] = [
    [totals.conflicts, `${totals.conflicts} of the duplicates had other content than the event that stands (conflicts).`],
    [totals.redriven, `${totals.redriven} of the raw records are dead letters sent back.`],
    [totals.replayed, `${totals.replayed} of the raw records are replayed ones.`],
    [
      redrivenLater,
      `${redrivenLater} outcomes are not of raw records, but of dead letters that were sent back to the deduplicator.`,
    ],
    [
      totals.leftRetention,
      `${totals.leftRetention} raw records left retention, and ${totals.outcomesOfLeftRecords} of their outcomes are still there.`,
    ],
    [
      totals.notJudged,
      `${totals.notJudged} raw records are before the range, or older than their outcomes are kept: not judged.`,
    ],
    [
      uncommitted.length,
      `No committed offset for ${uncommitted.length} partitions, such as ${uncommitted[0]}: without an outcome, what is there counts as in flight.`,
    ],
    [syncs.size, `Merchant syncs of these events: ${perMerchant.join(', ')}.`],
    [replayedSyncs, `${replayedSyncs} more syncs of these events were written again by replays.`],
    [
      lostSyncs.count,
      `${lostSyncs.count} events became dead letters of merchant-sync: ${where}${lostSyncs.count > shownProblems ? ', …' : ''}`,
    ],
  ]
  return said.filter(([count]) => count > 0).map(([, text]) => text)
}

function problemLines({ problems }: Account, { missing, twice, strangeOrigins }: Totals): string[] {
  const shown = problems
    .slice(0, shownProblems)
    .map(({ problem, position, detail }) => `PROBLEM: ${problem}: ${position}: ${detail}`)
  const more = missing + twice + strangeOrigins - shown.length
  return more > 0 && shown.length > 0 ? [...shown, `${more} more; --json has their positions`] : shown
}
