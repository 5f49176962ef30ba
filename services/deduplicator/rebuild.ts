/** Redis may forget anything: what it lost is read again from the source topic and claimed in order, before the batch goes on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Occurrence, occurrenceOf } from '../../shared/deduplicate/occurrence.ts'
import type { RangeReader } from '../../shared/kafka/range-reader.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import type { Log } from '../../shared/runtime/log.ts'
import { type Claims, ClaimsError } from './claims.ts'

type Deps = {
  claims: Claims
  windowMs: number
  /** First offset with this timestamp or a later one, or one before it. */
  startAt: (partition: number, timestamp: number) => Promise<number>
  readRange: RangeReader
  log: Log
}

/** Where the batch begins that waits for its claims, and its first record's timestamp. */
export type Wanting = { partition: number; begin: number; firstTimestamp: number; signal?: AbortSignal | undefined }
export type Rebuild = (wanting: Wanting, lack: Lack) => Promise<void>

/** `behind`: claims are whole up to an offset, the rest is missing. Anything else: none can be trusted, all are made anew. */
export type Lack = { reason: ClaimsError['reason'] | 'another-life' | 'evicted'; detail: number; epoch: Buffer }

const progressMs = 2_000

export function createRebuild({ claims, windowMs, startAt, readRange, log }: Deps): Rebuild {
  return async ({ partition, begin, firstTimestamp, signal }, { reason, detail, epoch }) => {
    const startedAt = Date.now()
    // Claims matter that were last seen at most a window before the batch. Its log time is at least its first timestamp, and the first
    // record that old in timestamp is also the first that old in log time.
    const oldest = Math.min(begin, await startAt(partition, firstTimestamp - windowMs))
    const goesOn = reason === 'behind' && detail >= oldest
    const from = goesOn ? detail : oldest
    if (!goesOn) await claims.beginEpoch(partition, epoch, from)
    // A first start finds nothing known and nothing to make anew.
    if (from === begin) return
    log.warn('claims-rebuilding', { reason, partition, from, upto: begin })
    await failpoint('rebuild.begun')
    let upto = from
    let records = 0
    let reportedAt = startedAt
    await readRange({
      partition,
      from,
      to: begin,
      signal,
      async onRecords(chunk, end) {
        await failpoint('rebuild.read')
        const occurrences: Occurrence[] = chunk.map(occurrenceOf)
        await claims.fill({ partition, begin: upto, end, occurrences })
        await failpoint('rebuild.filled')
        upto = end
        records += chunk.length
        if (Date.now() - reportedAt < progressMs) return
        reportedAt = Date.now()
        log.info('claims-rebuilding', { partition, from, upto, records })
      },
    })
    log.warn('claims-rebuilt', { reason, partition, from, upto, records, durationMs: Date.now() - startedAt })
  }
}

const rebuildable = new Set<ClaimsError['reason']>(['missing', 'behind', 'moved', 'unknown', 'lagging', 'future'])

/** Tries until the batch is judged; each time Redis turns out to lack something, that is made again first. */
export async function claimOrRebuild<T>(claim: () => Promise<T>, rebuild: (lack: Lack) => Promise<void>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await claim()
    } catch (error) {
      if (!(error instanceof ClaimsError) || !rebuildable.has(error.reason)) throw error
      // Another rebuilder moves the same cursor: let it go on, look again.
      if (error.reason === 'moved') await sleep(Math.min(50 * attempt, 1_000))
      else await rebuild(error).catch(unlessMoved)
    }
  }
}

function unlessMoved(error: unknown): void {
  if (!(error instanceof ClaimsError)) throw error
}
