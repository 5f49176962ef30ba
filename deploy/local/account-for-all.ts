import { setTimeout as sleep } from 'node:timers/promises'
import { accountingLines, checkChanges, type OperatorAccount, openRecords, problemsOf } from './accounting.ts'
import { type Following, readTraces } from './follow-topics.ts'
import { lagOf, plainLine, ratesOf } from './live-view.ts'
import { askOperator } from './run-operator.ts'
import type { SimulationResult } from './simulation.ts'

const stuckAfterMs = 60_000

/** Waits until the raw topics hold what was acknowledged and no stage has anything before it. Throws when nothing moves any more. */
export async function untilNothingWaits(following: Following, acknowledged: number): Promise<void> {
  for (let last = '', since = Date.now(); ; await sleep(100)) {
    const counts = following.counts()
    if (counts.raw >= acknowledged && lagOf(counts) === 0) return
    const state = JSON.stringify(counts)
    if (state !== last) [last, since] = [state, Date.now()]
    if (Date.now() - since < stuckAfterMs) continue
    const shown = plainLine({ counts, rates: ratesOf(counts, counts, 1), lastEvents: [], upSeconds: 0, note: '' })
    throw new Error(
      `Nothing has moved for ${stuckAfterMs / 1000} s, and not all is accounted for: ${shown}; acknowledged=${acknowledged}`,
    )
  }
}

/** Has every record accounted for, and every change that was sent. The lines say how it went; `holds` is the verdict. */
export async function accountForAll(
  topicsToRead: Parameters<typeof readTraces>[0],
  env: NodeJS.ProcessEnv,
  result: SimulationResult,
): Promise<{ holds: boolean; lines: string[] }> {
  const ask = () => askOperator<OperatorAccount>(['account', '--json', '--limit', '100'], env)
  let account = await ask()
  // What was sent but never acknowledged may still be on its way.
  for (const deadline = Date.now() + stuckAfterMs; openRecords(account) > 0 && Date.now() < deadline; await sleep(1_000)) {
    account = await ask()
  }
  const changes = checkChanges(await readTraces(topicsToRead), result.sent)
  const holds = problemsOf(account, changes).length === 0 && result.fulfilled
  const verdict = holds ? 'Everything is accounted for.' : 'The accounts do not hold.'
  return { holds, lines: ['', `Simulator: ${result.summary}`, ...accountingLines(account, changes), verdict] }
}
