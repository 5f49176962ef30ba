import { checkAccounts } from './check-accounts.ts'
import { checkChanges } from './check-changes.ts'
import { checkDuplicates } from './check-duplicates.ts'
import { checkKept } from './check-kept.ts'
import { checkOrder } from './check-order.ts'
import { checkSyncs } from './check-syncs.ts'
import { checkVisible, countAborted } from './check-visible.ts'
import { lookUp } from './look-up.ts'
import { collectProblems, type Problem, type Total } from './problems.ts'
import { type RunSource, readRun } from './read-run.ts'
import type { Run } from './run.ts'

export type Report = {
  /** Nothing is broken. */
  ok: boolean
  /** Problems found, by what they did; one broken thing may show in several checks. */
  lost: number
  doubled: number
  invented: number
  wrong: number
  /** Every kind of problem that was found, with its count. */
  totals: Total[]
  /** The first few of each kind. */
  problems: Problem[]
  figures: Record<Figure, number>
}
type Figure =
  | 'attempts'
  | 'acknowledged'
  | 'raw'
  | 'normalized'
  | 'events'
  | 'duplicates'
  | 'conflicts'
  | 'deadLetters'
  | 'syncs'
  | 'registryVersions'
  | 'aborted'

export type CheckOptions = RunSource & {
  /** How many problems of each kind are named; 10 if absent. */
  examples?: number
}

/** Reads a run that is at rest and decides whether the promises held. Throws when it cannot decide: no kcat, no Kafka, no keys, no history. */
export async function checkRun({ examples, ...source }: CheckOptions): Promise<Report> {
  return decideRun(await readRun(source), examples)
}

/** The decision alone. Pure. */
export function decideRun(run: Run, examples = 10): Report {
  const { found, problems, totals, countOf } = collectProblems(examples)
  const look = lookUp(run)
  checkKept(run, look, found)
  checkAccounts(run, found)
  checkChanges(run, look, found)
  checkDuplicates(run, look, found)
  checkOrder(run, look, found)
  checkSyncs(run, found)
  checkVisible(run, found)
  return {
    ok: totals().length === 0,
    lost: countOf('lost'),
    doubled: countOf('doubled'),
    invented: countOf('invented'),
    wrong: countOf('wrong'),
    totals: totals(),
    problems: problems(),
    figures: {
      attempts: run.attempts.length,
      acknowledged: run.attempts.filter(({ outcome }) => outcome === 'acknowledged').length,
      raw: run.raw.length,
      normalized: run.normalized.length,
      events: run.events.length,
      duplicates: run.duplicates.length,
      conflicts: run.duplicates.filter(({ conflict }) => conflict).length,
      deadLetters: run.deadLetters.length,
      syncs: run.syncs.length,
      registryVersions: run.registry.length,
      aborted: countAborted(run),
    },
  }
}
