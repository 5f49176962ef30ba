/** What became of every replay, told from the audit trail alone. Pure. */
import type { ReplayScope } from './scope.ts'
import type { ReplayProgress } from './selection.ts'
import type { SyncJob } from './sync-again.ts'

/** What a replay was started with: all that is needed to go on. */
export type JobSpec = {
  target: 'in-place' | 'side'
  scope: ReplayScope
  sync?: SyncJob | undefined
  rate?: number | undefined
  windowHours: number
}

/**
 * What the audit trail says of a replay, under `changes`. `run` is the process that says it, since a replay that was stopped may go on in
 * another.
 */
export type JobEntry = { replay: string } & (
  | { phase: 'start'; run: string; job: JobSpec }
  | { phase: 'resume'; run: string }
  | { phase: 'progress' | 'stopped' | 'ended'; run: string; done: ReplayProgress; written: number }
  | { phase: 'failed'; run: string; done: ReplayProgress; written: number; reason: string }
  | { phase: 'stop' }
)
/** `at`: milliseconds since 1970, by the broker's clock. */
export type JobRecord = { at: number; who: string; entry: JobEntry }

export type Job = {
  id: string
  spec: JobSpec
  state: 'running' | 'stopped' | 'failed' | 'ended'
  /** The process that runs it, or ran it last. */
  run: string
  startedBy: string
  startedAt: number
  /** When that process last said something. */
  heardAt: number
  done: ReplayProgress
  /** Records written by all its processes together. */
  written: number
  /** Of the processes before this one. */
  writtenBefore: number
  reason?: string | undefined
  stopAsked: boolean
}

/** A running replay tells how far it is so often. */
export const tellEveryMs = 15_000
/** And after so long without a word, its process is taken for dead. */
export const silentAfterMs = 4 * tellEveryMs

export const isSilent = ({ state, heardAt }: Job, now: number): boolean => state === 'running' && now - heardAt > silentAfterMs

/**
 * Applies the next record of the trail. Whoever comes first owns a replay: an id that was used, a resumption of what runs, and words of
 * an older process change nothing, so that two who start at once see the same winner.
 */
export function applyRecord(jobs: Map<string, Job>, { at, who, entry }: JobRecord): void {
  const job = jobs.get(entry.replay)
  if (entry.phase === 'start') {
    if (job) return
    const fresh = { state: 'running' as const, done: {}, written: 0, writtenBefore: 0, stopAsked: false }
    jobs.set(entry.replay, {
      ...{ id: entry.replay, spec: entry.job, run: entry.run, startedBy: who, startedAt: at, heardAt: at },
      ...fresh,
    })
    return
  }
  if (!job) return
  if (entry.phase === 'stop') {
    job.stopAsked = job.state === 'running'
    return
  }
  if (entry.phase === 'resume') {
    if (job.state === 'ended' || (job.state === 'running' && !isSilent(job, at))) return
    Object.assign(job, { state: 'running', run: entry.run, heardAt: at, stopAsked: false, reason: undefined })
    job.writtenBefore = job.written
    return
  }
  if (entry.run !== job.run || job.state !== 'running') return
  job.heardAt = at
  job.done = entry.done
  job.written = job.writtenBefore + entry.written
  if (entry.phase === 'progress') return
  job.state = entry.phase
  job.reason = entry.phase === 'failed' ? entry.reason : undefined
}
