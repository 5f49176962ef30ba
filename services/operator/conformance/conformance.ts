import { type Answer, table, UsageError } from '../answer.ts'
import type { Senders } from '../simulator/senders.ts'
import type { Case } from './case.ts'
import { allCases, type CaseResult, runCases } from './run-cases.ts'

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** The cases whose names begin with one of these; all if there are none. */
export function selectCases(only: readonly string[]): Case[] {
  const unknown = only.filter((prefix) => !allCases.some(({ name }) => name.startsWith(prefix)))
  if (unknown.length > 0) throw new UsageError(`No case begins with ${unknown.join(', ')}. See: operator simulate --list`)
  return allCases.filter(({ name }) => only.length === 0 || only.some((prefix) => name.startsWith(prefix)))
}

/** Every case and its expected answer. */
export function listCases(only: readonly string[]): Answer {
  const cases = selectCases(only).map(({ name, title, hostile, expect }) => ({ name, title, hostile, expected: expect.says }))
  const rows = cases.map(({ name, title, hostile, expected }) => [name, hostile ? 'hostile' : '', title, expected])
  return { fulfilled: true, document: { cases }, text: table(['case', '', 'what is sent', 'expected answer'], rows) }
}

export type ConformanceOptions = {
  target: URL
  senders: Senders
  seed: string
  only: readonly string[]
  allowRemote: boolean
  onProgress: (done: number) => void
}

/** Sends the cases and reports; fulfilled if none failed and at least one passed. */
export async function checkConformance({
  target,
  senders,
  seed,
  only,
  allowRemote,
  onProgress,
}: ConformanceOptions): Promise<Answer> {
  const cases = selectCases(only)
  if (!allowRemote && !loopback.test(target.hostname) && cases.some(({ hostile }) => hostile))
    throw new UsageError(`${target.hostname} is not on loopback: hostile cases are sent there only with --allow-remote`)
  let done = 0
  const results = await runCases(cases, { target, senders, seed, onResult: () => onProgress(++done) })
  const count = (outcome: CaseResult['outcome']) => results.filter((result) => result.outcome === outcome).length
  const totals = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
  return {
    fulfilled: totals.failed === 0 && totals.passed > 0,
    document: { target: target.origin, ...totals, results },
    text: reportText(results, totals),
  }
}

function reportText(results: CaseResult[], totals: Record<string, number>): string {
  const rows = results.map(({ name, title, outcome, expected, got }) => [
    outcome === 'passed' ? 'ok' : outcome,
    name,
    title,
    outcome === 'passed' ? got : expected,
  ])
  const failures = results
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ name, expected, got }) => `${name}\n  expected  ${expected}\n  got       ${got}`)
  const summary = Object.entries(totals)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')
  return [table(['', 'case', 'what was sent', 'answer'], rows), ...failures, summary].join('\n\n')
}
