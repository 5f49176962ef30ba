import { header } from '../../shared/contracts/headers.ts'
import { formatPosition, type Topics } from '../../shared/contracts/topics.ts'
import type { Duplicate, TokenEvent } from '../../shared/contracts/types.ts'
import { deadLetter, emit, FencedError, type Outcome, type SourceRecord, StopError } from '../../shared/stage/outcome.ts'
import type { Step } from '../../shared/stage/stage.ts'
import { type Claims, ClaimsError, type Occurrence, type Unclaimed, type Verdict } from './claims.ts'

type Deps = {
  claims: Claims
  topics: Topics
  windowMs: number
  /** The first offset the log still has. */
  logStart: (partition: number) => Promise<number>
  /** Throws when Redis may have dropped claims against its policy. */
  checkEvictions: () => Promise<void>
}

/** The deduplicator's step: one Lua call per batch judges and claims, the rest is a pure decision about each verdict. */
export function createDropDuplicates({ claims, topics, windowMs, logStart, checkEvictions }: Deps): Step {
  /** Where this process's last batch of a partition ended, and the log time there. */
  const known = new Map<number, { end: number; logTime: number }>()
  return {
    take: (records) => withinWindow(records, windowMs),
    async decide({ partition, begin, end, records }) {
      await checkEvictions()
      const last = known.get(partition)
      const request = {
        partition,
        begin,
        end,
        ...(last?.end === begin ? { logTime: last.logTime } : {}),
        atLogStart: async () => (await logStart(partition)) >= begin,
        occurrences: records.map(occurrenceOf),
      }
      const { verdicts, logTime } = await claims.claim(request).catch((error) => {
        throw error instanceof ClaimsError ? explain(error, partition, begin) : error
      })
      known.set(partition, { end, logTime })
      return records.map((record, index) => decide(record, verdicts[index] as Verdict, topics))
    },
  }
}

/**
 * A batch never spans more than one window of log time: else an event whose transaction was aborted could come again and meet a *later* holder
 * of its id. By these records' timestamps alone, which can only overestimate.
 */
export function withinWindow(records: SourceRecord[], windowMs: number): number {
  const first = records[0]?.timestamp ?? 0
  const beyond = records.findIndex(({ timestamp }) => timestamp - first > windowMs)
  return beyond === -1 ? records.length : Math.max(1, beyond)
}

const hex = /^[0-9a-f]{32}$/

export function occurrenceOf({ offset, timestamp, headers, value }: SourceRecord): Occurrence {
  const [eventId, contentHash, cancelId] = [headers[header.id], headers[header.contentHash], headers[header.cancelId]]
  if (!value || !eventId || !hex.test(eventId) || !contentHash || !hex.test(contentHash)) return { offset, timestamp }
  const occurrence = { offset, timestamp, eventId, contentHash }
  return cancelId && hex.test(cancelId) ? { ...occurrence, cancelId } : occurrence
}

/** Pure: what becomes of a record of the normalized topic, given its verdict. */
export function decide(record: SourceRecord, verdict: Verdict, topics: Topics): Outcome {
  switch (verdict.kind) {
    case 'none':
      return deadLetter('not-an-event', 'The record has no value, event id or content hash: something else writes to this topic')
    case 'new':
    case 'own':
      return publish(record, verdict.late, topics)
    case 'duplicate':
    case 'conflict':
      return report(record, verdict, topics)
  }
}

function publish(record: SourceRecord, late: boolean, topics: Topics): Outcome {
  const { [header.cancelId]: _cancelId, [header.contentHash]: _contentHash, ...headers } = record.headers
  const key = record.key?.toString() ?? ''
  const value = record.value as Buffer
  if (!late) return emit([{ topic: topics.events, key, value, headers }])
  const event: TokenEvent = { ...JSON.parse(value.toString()), late: true }
  return emit([{ topic: topics.events, key, value: JSON.stringify(event), headers }], { late: 1 })
}

function report(record: SourceRecord, { kind, holder }: Verdict, topics: Topics): Outcome {
  const positionAt = (offset: number) =>
    formatPosition({ topic: record.topic, partition: record.partition, offset: String(offset) })
  const duplicate: Duplicate = {
    eventId: record.headers[header.id] as string,
    origin: record.headers[header.origin] ?? '',
    position: positionAt(record.offset),
    holder: positionAt(holder),
    conflict: kind === 'conflict',
  }
  const headers = { [header.origin]: duplicate.origin, [header.contentType]: 'application/json' }
  const counts = { duplicates: 1, ...(duplicate.conflict ? { conflicts: 1 } : {}) }
  return emit(
    [{ topic: topics.duplicates, key: record.key?.toString() ?? '', value: JSON.stringify(duplicate), headers }],
    counts,
  )
}

/** Each contradiction between Redis and the log, in words an operator can act on. None of them may be bridged by a guess. */
function explain({ reason, detail }: ClaimsError, partition: number, begin: number): Error {
  const where = `partition ${partition} at offset ${begin}`
  const lost = 'Going on would emit changes twice'
  const sentences: Record<Unclaimed, string> = {
    clock: `Redis's clock is ${detail} ms away from this machine's: claims would expire at the wrong time. Set the clocks`,
    missing: `Redis knows no claims for ${where}: it was wiped, or its prefix or database changed. ${lost}`,
    behind: `Redis knows claims for partition ${partition} only up to offset ${detail}, but the committed offset is ${begin}: it was restored or failed over. ${lost}`,
    unknown: `Redis does not know the log time of ${where} (it has claims up to ${detail}). ${lost}`,
    'set-back': `The committed offset of ${where} is lower than ${detail}, which Redis saw committed: the group's offsets were lost or set back. Going on would emit changes twice`,
    lagging: `${where} lags ${detail} ms, more than claims outlive their window: some may have expired. ${lost}`,
    future: `Redis holds a claim of the later offset ${detail} for a record of ${where}: the topic was made anew, or another pipeline uses this Redis prefix`,
  }
  return reason === 'set-back' ? new FencedError(sentences[reason]) : new StopError(sentences[reason])
}
