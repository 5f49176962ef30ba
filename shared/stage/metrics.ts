import { Counter, Gauge, Histogram } from 'prom-client'
import type { StageName } from '../contracts/topics.ts'

/** Metrics of a stage. Labels are stage, outcome and slot: never a merchant, never a token. */
export function createStageMetrics(stage: StageName) {
  const records = new Counter({
    name: 'stage_records_total',
    help: 'Source records by what became of them.',
    labelNames: ['stage', 'outcome'],
  })
  const transactions = new Histogram({
    name: 'stage_transaction_seconds',
    help: 'Time from sending offsets to the commit.',
    labelNames: ['stage'],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
  })
  const lag = new Gauge({
    name: 'stage_lag_records',
    help: 'Records behind the end of the partitions of the last batch.',
    labelNames: ['stage', 'slot'],
  })
  return {
    committed(slot: number, counts: Record<string, number>, seconds: number, behind: number): void {
      for (const [outcome, count] of Object.entries(counts)) records.inc({ stage, outcome }, count)
      transactions.observe({ stage }, seconds)
      lag.set({ stage, slot: String(slot) }, behind)
    },
  }
}
