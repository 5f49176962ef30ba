import { rename, writeFile } from 'node:fs/promises'
import { deduplicationKey, hasKey } from '../../../shared/contracts/deduplication-key.ts'
import type { Provider } from '../../../shared/contracts/topics.ts'
import type { Identity } from '../../../shared/security/identity.ts'
import type { Tally } from './ledger.ts'
import { type Change, isOdd, type Kind } from './notification.ts'
import { accountOf } from './wire.ts'

/**
 * One distinct change, and what must be found of it. An `event` with an acknowledgement is found exactly once by its id; a
 * `dead-letter` once per acknowledged copy. What was sent and never acknowledged may or may not have been stored. No token or
 * code is in it, only what the pipeline itself shows.
 */
export type PlannedChange = {
  provider: Provider
  account: string
  kind: Kind
  outcome: 'event' | 'dead-letter'
  /** Absent for a dead letter: without a de-duplication key there is no id. */
  eventId?: string
  /** The cancellation was sent before it: its event says so, if the cancellation was acknowledged. */
  late?: true
} & Tally
export type PlanFile = { seed: string; changes: PlannedChange[] }

export function describeChange(change: Change, tally: Tally, identity: Identity): PlannedChange {
  const { provider, kind, content, late } = change
  const account = accountOf(change)
  const key = typeof content === 'string' ? undefined : deduplicationKey(provider, content)
  return {
    ...{ provider, account, kind, outcome: isOdd(change) ? 'dead-letter' : 'event' },
    ...(key && hasKey(key) ? { eventId: identity.eventId(provider, account, key.fields) } : {}),
    ...(late ? { late: true } : {}),
    ...tally,
  }
}

/** Whole or not at all: whoever waits for the file never reads half of it. */
export async function writePlanFile(path: string, plan: PlanFile): Promise<void> {
  const lines = plan.changes.map((change) => JSON.stringify(change))
  const text = `{"seed":${JSON.stringify(plan.seed)},"changes":[\n${lines.join(',\n')}\n]}\n`
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}
