import { randomUUID } from 'node:crypto'
import { describeError } from '../../../shared/runtime/log.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { isSilent, type Job, type JobSpec, tellEveryMs } from './jobs.ts'
import { type Journal, openJournal } from './journal.ts'
import { offsetsIn, whereOf } from './scope.ts'
import type { ReplayProgress, ReplayRange, ReplayRun } from './selection.ts'

/** What a replay is told by and tells, but for its selection, which only its carrier knows. */
export type JobRun = Omit<ReplayRun, 'selection'>
/** What a carrier found, if it has something to say beyond what it wrote. */
export type Told = { fulfilled: boolean; document: Record<string, unknown>; lines: string[] }
/** Does the work of a job; returns when done or when aborted. */
export type Carrier = (spec: JobSpec, run: JobRun) => Promise<Told | undefined>
export type Finished = { id: string; state: 'ended' | 'stopped'; written: number; done: ReplayProgress; told: Told | undefined }

export const rangesOf = ({ scope, sync }: JobSpec): ReplayRange[] => [
  ...(scope.source === 'raw' || !sync ? scope.ranges : []),
  ...(sync?.ranges ?? []),
]

/** Starts a job under a new id and sees it to its end. */
export async function startJob(
  session: KafkaSession,
  terminal: Terminal,
  { id, spec }: { id: string; spec: JobSpec },
  carry: Carrier,
): Promise<Finished> {
  return withJournal(session, terminal, async (journal) => {
    if (journal.job(id)) throw new Error(`There is a replay ${id} already. Choose another --id, or go on with --resume ${id}`)
    const run = randomUUID()
    await journal.write('replay run', { replay: id, phase: 'start', run, job: spec })
    return seeThrough(journal, terminal, id, run, carry)
  })
}

/** Goes on with a job that was stopped, that failed, or whose process is dead. */
export async function resumeJob(session: KafkaSession, terminal: Terminal, id: string, carry: Carrier): Promise<Finished> {
  return withJournal(session, terminal, async (journal) => {
    const job = journal.job(id)
    if (!job) throw new Error(`There is no replay ${id}: operator replay status shows all`)
    if (job.state === 'ended') throw new Error(`${id} has ended: everything was written`)
    if (job.state === 'running' && !isSilent(job, terminal.now()))
      throw new Error(
        `${id} is running: its process last told at ${new Date(job.heardAt).toISOString()}. Stop it first, or wait a minute if it is dead`,
      )
    const run = randomUUID()
    await journal.write('replay run', { replay: id, phase: 'resume', run })
    return seeThrough(journal, terminal, id, run, carry)
  })
}

async function withJournal<T>(session: KafkaSession, terminal: Terminal, work: (journal: Journal) => Promise<T>): Promise<T> {
  const journal = await openJournal(session, terminal)
  return work(journal).finally(journal.close)
}

/** The record of this process has come back: either the job is its own now, or another was first. */
async function seeThrough(journal: Journal, terminal: Terminal, id: string, run: string, carry: Carrier): Promise<Finished> {
  const job = journal.job(id) as Job
  const isMine = () => journal.job(id)?.run === run
  if (!isMine()) throw new Error(`Another process began ${id} at the same moment. Nothing was done here`)
  const { spec } = job
  const done = { ...job.done }
  let written = 0
  const entry = () => ({ replay: id, run, done: { ...done }, written })

  const stop = new AbortController()
  const over = new AbortController()
  terminal.stopSignal().addEventListener('abort', () => stop.abort())
  const asked = () => journal.job(id)?.stopAsked || !isMine() || undefined
  journal.until(asked, over.signal).then(
    () => stop.abort(),
    // Without the trail nobody could stop it, and what it did could not be told.
    () => over.signal.aborted || stop.abort(),
  )
  const telling = setInterval(() => {
    void journal.write('replay run', { ...entry(), phase: 'progress' }).catch(() => stop.abort())
  }, tellEveryMs)
  const ranges = rangesOf(spec)
  const progress = createProgress(terminal.screen, 'offsets', offsetsIn(ranges))
  const onProgress: JobRun['onProgress'] = (where, next, count) => {
    done[whereOf(where)] = next
    written += count
    progress.advance(offsetsDone(ranges, done))
  }
  try {
    const told = await carry(spec, { id, done: job.done, rate: spec.rate, signal: stop.signal, onProgress })
    const state = ranges.every((range) => (done[whereOf(range)] ?? range.from) >= range.to) ? 'ended' : 'stopped'
    clearInterval(telling)
    await journal.write('replay run', { ...entry(), phase: state })
    return { id, state, written: job.writtenBefore + written, done, told }
  } catch (error) {
    clearInterval(telling)
    const reason = describeError(error)
    await journal.write('replay run', { ...entry(), phase: 'failed', reason }).catch(() => {})
    throw new Error(`${reason}\n${written} records were written before that. Go on with: operator replay run --resume ${id}`)
  } finally {
    clearInterval(telling)
    over.abort()
    progress.end()
  }
}

export const offsetsDone = (ranges: ReplayRange[], done: ReplayProgress): number =>
  ranges.reduce((sum, range) => sum + Math.min(range.to, done[whereOf(range)] ?? range.from) - range.from, 0)
