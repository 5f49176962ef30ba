/** A stage's process at work, measured from outside: by its log lines, one for each committed transaction, and by what the kernel counts. */
import { type ServiceUnderTest, startService } from '../support/service.ts'
import type { Teardown } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { cpuUs, isStopped, peakResidentMib } from './process-cost.ts'

/** One committed transaction; times in milliseconds since 1970, `begunAt` when its records had been taken from the fetch. */
export type CommittedBatch = { records: number; begunAt: number; committedAt: number; stepMs: number; transactionMs: number }
export type StageRun = {
  service: ServiceUnderTest
  /** Resolves when so many records of its sources are committed, and throws if the process ends before, or commits more. */
  committed: (records: number) => Promise<void>
  batches: () => CommittedBatch[]
  /** Committed records: all, or by what became of them. */
  count: (what: 'records' | 'emitted' | 'duplicates') => number
  /** Microseconds since it began: starting up does not count. */
  cpuUs: () => number
  peakMib: () => number
}

const startedWithin = { timeoutMs: 60_000 }
const drainedWithin = { timeoutMs: 900_000 }

/**
 * Starts it and returns when it begins: when the first records are in hand, where it is held (by a failpoint) until its CPU so far has been noted;
 * or, where there are none yet, when it has its partitions. `script`: if it is no service.
 */
export async function startStage(
  t: Teardown,
  name: string,
  env: Record<string, string>,
  { begins, script }: { begins: 'with-first-records' | 'without-records'; script?: string },
): Promise<StageRun> {
  const isHeld = begins === 'with-first-records'
  const service = await startService(t, name, { ...env, ...(isHeld && { FAILPOINT: 'stage.handed:stop' }) }, script)
  const lines = (wanted: string) => service.lines().filter(({ event }) => event === wanted)
  const ended = service.exited.then(() => {
    throw new Error(`${name} ended by itself:\n${service.output().slice(-2_000)}`)
  })
  ended.catch(() => {})
  const sum = (field: string) => lines('batch-processed').reduce((total, line) => total + Number(line[field] ?? 0), 0)

  const begun = () => (isHeld ? isStopped(service.pid) : lines('assigned').length > 0)
  await Promise.race([waitFor(`${name} to begin`, begun, startedWithin), ended])
  const cpuBefore = cpuUs(service.pid)
  service.resume()
  return {
    service,
    async committed(records) {
      await Promise.race([waitFor(`${name} to commit ${records} records`, () => sum('records') >= records, drainedWithin), ended])
      if (sum('records') > records) throw new Error(`${name} committed ${sum('records')} records, and there were ${records}`)
    },
    batches: () => committedBatches(service),
    count: sum,
    cpuUs: () => cpuUs(service.pid) - cpuBefore,
    peakMib: () => peakResidentMib(service.pid),
  }
}

export const committedBatches = (service: ServiceUnderTest): CommittedBatch[] =>
  service
    .lines()
    .filter(({ event }) => event === 'batch-processed')
    .map(toBatch)

function toBatch({ time, ...fields }: Record<string, unknown>): CommittedBatch {
  const [records, stepMs, transactionMs] = [Number(fields.records), Number(fields.stepMs), Number(fields.transactionMs)]
  const committedAt = Date.parse(time as string)
  return { records, stepMs, transactionMs, committedAt, begunAt: committedAt - stepMs - transactionMs }
}

/** From the first batch in hand to the last one committed: neither start-up nor the first fetch, but all the work. */
export function secondsOf(batches: CommittedBatch[]): number {
  const begun = Math.min(...batches.map(({ begunAt }) => begunAt))
  const ended = Math.max(...batches.map(({ committedAt }) => committedAt))
  return (ended - begun) / 1000
}
