import { type Answer, table } from '../answer.ts'
import { isSilent, type Job } from './jobs.ts'
import { offsetsDone, rangesOf } from './run-job.ts'
import { offsetsIn } from './scope.ts'

/** All replays, the latest first. Pure. */
export function describeJobs(jobs: Job[], now: number): Answer {
  const shown = jobs.toSorted((a, b) => b.startedAt - a.startedAt).map((job) => describeJob(job, now))
  const rows = shown.map(({ id, target, source, state, done, offsets, written, startedBy, startedAt, heardAt }) => [
    ...[id, target, source, state, `${offsets === 0 ? 100 : Math.floor((100 * done) / offsets)} %`, String(written)],
    ...[startedBy, startedAt, heardAt],
  ])
  const heading = ['replay', 'target', 'source', 'state', 'read', 'written', 'by', 'started', 'last heard']
  const [latest] = shown
  const why = shown.length === 1 && latest?.reason ? [`${latest.id}: ${latest.reason}`] : []
  const text = rows.length === 0 ? 'No replays.' : [table(heading, rows), ...why].join('\n')
  return { fulfilled: true, document: { replays: shown }, text }
}

function describeJob(job: Job, now: number) {
  const { id, spec, startedBy, written, reason, stopAsked } = job
  const ranges = rangesOf(spec)
  const running = isSilent(job, now) ? 'silent' : stopAsked ? 'stopping' : 'running'
  return {
    ...{ id, target: spec.target, source: spec.scope.source, state: job.state === 'running' ? running : job.state },
    ...{ done: offsetsDone(ranges, job.done), offsets: offsetsIn(ranges), written },
    ...{ startedBy, startedAt: new Date(job.startedAt).toISOString(), heardAt: new Date(job.heardAt).toISOString() },
    ...(reason !== undefined && { reason }),
    spec,
  }
}
