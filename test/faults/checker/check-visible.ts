import type { Found } from './problems.ts'
import type { Run, Views } from './run.ts'

/** No transaction hangs, read_committed shows nothing that is not in the log, another client sees the same, and every group is at the end. */
export function checkVisible({ committed, uncommitted, otherClient, notConsumed }: Run, found: Found): void {
  for (const [partition, { offsets, end }] of committed) {
    const log = uncommitted.get(partition) ?? { offsets: [], end: 0 }
    if (end < log.end) found('hung-transaction', `${partition}/${end}`, `${partition}/${log.end}`)
    for (const offset of missingIn(log.offsets, offsets)) found('never-in-log', `${partition}/${offset}`)
  }
  if (otherClient) {
    const all = new Set([...committed.keys(), ...otherClient.keys()])
    for (const partition of all) {
      const [ours, theirs] = [committed.get(partition)?.offsets ?? [], otherClient.get(partition) ?? []]
      for (const offset of missingIn(ours, theirs)) found('seen-by-other-only', `${partition}/${offset}`)
      for (const offset of missingIn(theirs, ours)) found('missed-by-other', `${partition}/${offset}`)
    }
  }
  for (const { group, topic, partition, offset } of notConsumed)
    found('not-consumed', `${topic}/${partition}/${offset}`, `group ${group}`)
}

function missingIn(these: number[], offsets: number[]): number[] {
  const present = new Set(these)
  return offsets.filter((offset) => !present.has(offset))
}

/** Records that read_uncommitted shows and read_committed does not: of transactions that were aborted, or are open. */
export function countAborted({ committed, uncommitted }: Run): number {
  const count = (views: Views) => [...views.values()].reduce((sum, { offsets }) => sum + offsets.length, 0)
  return count(uncommitted) - count(committed)
}
