import { type AppendedRecord, openAppender } from '../../../shared/kafka/append.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { copyOf, createJudge } from './in-place.ts'
import { createPace, type Pace } from './pace.ts'
import { readRanges } from './read-ranges.ts'
import { type ReplayScope, remaining } from './scope.ts'
import type { ReplayRange, ReplayRun } from './selection.ts'
import { createSyncsOf, type SyncJob } from './sync-again.ts'

export type InPlaceJob = { scope: ReplayScope; sync?: SyncJob | undefined; windowHours: number }

/**
 * Writes what a job is about, in order within each partition, and returns when done or when aborted. What was told by `onProgress` is never written
 * again; a replay that is killed may write what came after that twice, which makes duplicates of duplicates, and syncs with the ids they had.
 */
export async function runInPlace(
  session: KafkaSession,
  facts: TopicFacts,
  { scope, sync, windowHours }: InPlaceJob,
  { now, ...run }: ReplayRun & { now: () => number },
): Promise<void> {
  const pace = createPace(run.rate, run.signal)
  if (scope.source === 'raw') {
    const judge = await createJudge(session, facts, scope, { windowHours, now })
    await write(session, scope.ranges, run, pace, (record) => copyOf(record, judge(record), run.id, windowHours))
  }
  if (sync && !run.signal.aborted) {
    const syncsOf = await createSyncsOf(session, facts, scope, sync)
    await write(session, sync.ranges, run, pace, (record) => syncsOf(record, run.id))
  }
}

async function write(
  session: KafkaSession,
  ranges: ReplayRange[],
  { done, signal, onProgress }: ReplayRun,
  pace: Pace,
  toWrite: (record: SourceRecord) => AppendedRecord[],
): Promise<void> {
  const appender = await openAppender(session.kafka)
  const stopped = new Error('stopped')
  try {
    await readRanges(session, remaining(ranges, done), async (records, range, end) => {
      for (const { next, written } of inPieces(records, end, pace.atOnce, toWrite)) {
        await pace.wait(written.length)
        if (signal.aborted) throw stopped
        await appender.append(written)
        onProgress(range, next, written.length)
      }
    })
  } catch (error) {
    if (error !== stopped) throw error
  } finally {
    await appender.close()
  }
}

type Piece = { written: AppendedRecord[]; next: number }

/** What becomes of records, at least so many at once; `next` is the offset before which it is all. Decided piece by piece, since time goes on. */
function* inPieces(
  records: SourceRecord[],
  end: number,
  atOnce: number,
  toWrite: (record: SourceRecord) => AppendedRecord[],
): Generator<Piece> {
  let written: AppendedRecord[] = []
  for (const record of records) {
    written.push(...toWrite(record))
    if (written.length < atOnce) continue
    yield { written, next: record.offset + 1 }
    written = []
  }
  yield { written, next: end }
}
