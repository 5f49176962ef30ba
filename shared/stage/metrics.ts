import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { StageName } from '../contracts/topics.ts'
import type { Processed } from './process-batch.ts'
import type { Taken } from './take-batch.ts'

/** One committed transaction, as it is logged and counted. */
export type Committed = {
  slot: number
  counts: Record<string, number>
  records: number
  stepMs: number
  transactionMs: number
  lag: number
}

export function summarize(taken: Taken[], processed: Processed[]): Pick<Committed, 'counts' | 'records' | 'lag'> {
  const counts: Record<string, number> = {}
  for (const one of processed) for (const [what, by] of Object.entries(one.counts)) counts[what] = (counts[what] ?? 0) + by
  return {
    counts,
    records: taken.reduce((sum, { batch }) => sum + batch.records.length, 0),
    lag: taken.reduce((sum, { pending, batch }) => sum + pending.fetched.lag + pending.fetched.end - batch.end, 0),
  }
}

/** Metrics of a stage. Labels are stage, outcome and slot: never a merchant, never a token. */
export function createStageMetrics(stage: StageName, registry: Registry) {
  const registers = [registry]
  const records = new Counter({
    name: 'stage_records_total',
    help: 'Source records by what became of them.',
    labelNames: ['stage', 'outcome'],
    registers,
  })
  const transactions = new Histogram({
    name: 'stage_transaction_seconds',
    help: 'Time from sending offsets to the commit.',
    labelNames: ['stage'],
    registers,
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
  })
  const lag = new Gauge({
    name: 'stage_lag_records',
    help: 'Records behind the end of the partitions of the last batch.',
    labelNames: ['stage', 'slot'],
    registers,
  })
  return {
    committed(slot: number, counts: Record<string, number>, seconds: number, behind: number): void {
      for (const [outcome, count] of Object.entries(counts)) records.inc({ stage, outcome }, count)
      transactions.observe({ stage }, seconds)
      lag.set({ stage, slot: String(slot) }, behind)
    },
  }
}
