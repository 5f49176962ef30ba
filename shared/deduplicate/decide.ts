/** What becomes of a record of the normalized topic. Pure: the deduplicator decides by it live, a replay again. */
import { header } from '../contracts/headers.ts'
import type { Topics } from '../contracts/topics.ts'
import type { Duplicate, TokenEvent } from '../contracts/types.ts'
import { originOf, positionOf } from '../kafka/record.ts'
import { deadLetter, emit, type Outcome, type SourceRecord } from '../stage/outcome.ts'

/**
 * `new`: this record is the holder. `own`: it has been since before an aborted transaction. `duplicate`, `conflict`: `holder` is the offset of
 * the record that is, with the same content or another. `none`: no event id.
 */
export type Verdict = { kind: 'new' | 'own' | 'duplicate' | 'conflict' | 'none'; late: boolean; holder: number }

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
  const { [header.cancelId]: _cancelId, [header.contentHash]: _contentHash, ...rest } = record.headers
  // What a redrive appended here is its own origin, and its event says whose redrive it is.
  const headers = { ...rest, [header.origin]: originOf(record) }
  const key = record.key?.toString() ?? ''
  const value = record.value as Buffer
  if (!late) return emit([{ topic: topics.events, key, value, headers }])
  const event: TokenEvent = { ...JSON.parse(value.toString()), late: true }
  return emit([{ topic: topics.events, key, value: JSON.stringify(event), headers }], { late: 1 })
}

function report(record: SourceRecord, { kind, holder }: Verdict, topics: Topics): Outcome {
  const duplicate: Duplicate = {
    eventId: record.headers[header.id] as string,
    origin: originOf(record),
    position: positionOf(record),
    holder: positionOf({ ...record, offset: holder }),
    conflict: kind === 'conflict',
  }
  const replayId = record.headers[header.replayId]
  const headers = {
    [header.origin]: duplicate.origin,
    [header.contentType]: 'application/json',
    ...(replayId && { [header.replayId]: replayId }),
  }
  const counts = { duplicates: 1, ...(duplicate.conflict && { conflicts: 1 }), ...(replayId && { replayed: 1 }) }
  return emit(
    [{ topic: topics.duplicates, key: record.key?.toString() ?? '', value: JSON.stringify(duplicate), headers }],
    counts,
  )
}
