import { table } from '../answer.ts'
import type { Summary } from './ledger.ts'

/** The summary for people. */
export function reportText(seed: string, summary: Summary, trouble: string[]): string {
  const { latencyMs } = summary
  const rows: [string, number | string][] = [
    ['requests sent', summary.sent],
    ['  of them retries', summary.retries],
    ['acknowledged', summary.acknowledged],
    ['answered "call again"', summary.callAgain],
    ['refused', summary.refused],
    ['unanswered', summary.unanswered],
    ['given up', summary.lost],
    ['answers not as documented', summary.wrongAnswers],
    ['distinct changes', summary.distinct],
    ['  acknowledged', summary.distinctAcknowledged],
    ['duplicates acknowledged', summary.duplicates],
    ['  of them conflicts', summary.conflicts],
    ['dead letters to expect', summary.deadLetters],
    ['latency p50 / p99 / max', `${latencyMs.p50.toFixed(1)} / ${latencyMs.p99.toFixed(1)} / ${latencyMs.max.toFixed(1)} ms`],
  ]
  const kinds = Object.entries(summary.kinds).map(([kind, count]) => [kind, String(count)])
  const parts = [
    `Seed ${seed}`,
    table(
      ['', ''],
      rows.map(([name, value]) => [name, String(value)]),
    ),
    table(['kind', 'changes'], kinds),
  ]
  if (trouble.length > 0) parts.push(`Met on the way:\n${trouble.map((line) => `  ${line}`).join('\n')}`)
  return parts.join('\n\n')
}
