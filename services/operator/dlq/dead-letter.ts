import { header } from '../../../shared/contracts/headers.ts'
import { type StageName, stageNames } from '../../../shared/contracts/topics.ts'
import { positionOf, type SourceRecord } from '../../../shared/kafka/record.ts'

/** A record of a dead letter topic, and what the stage that gave up on it said. Headers that are missing read as ''. */
export type DeadLetter = {
  stage: StageName
  /** `topic/partition/offset` of the dead letter itself. */
  position: string
  reason: string
  detail: string
  /** ISO 8601. */
  failedAt: string
  /** Position that the accounts count it by. */
  origin: string
  /** Where it fell out. */
  from: { topic: string; partition: string; offset: string }
  record: SourceRecord
}

/** The stage is known by the topic: headers can say anything, if something else writes there. */
export function toDeadLetter(stage: StageName, record: SourceRecord): DeadLetter {
  const said = (name: string) => record.headers[name] ?? ''
  return {
    stage,
    position: positionOf(record),
    reason: said(header.dlqReason),
    detail: said(header.dlqDetail),
    failedAt: said(header.dlqFailedAt),
    origin: said(header.origin),
    from: { topic: said(header.dlqTopic), partition: said(header.dlqPartition), offset: said(header.dlqOffset) },
    record,
  }
}

/** Where a dead letter lies, by stage. */
export type Place = { stage: StageName; partition: number; offset: number }
export const placeOf = ({ stage, record }: DeadLetter): Place => ({ stage, partition: record.partition, offset: record.offset })

/** The order of every list: by stage, partition, offset; within a partition that is the order in which records were given up on. */
export const inOrder = (a: Place, b: Place): number =>
  stageNames.indexOf(a.stage) - stageNames.indexOf(b.stage) || a.partition - b.partition || a.offset - b.offset

/** A key of ours is a fingerprint. Any other was written by something else and may be anything: its size alone is shown. */
export function shownKey(key: Buffer | null): string {
  if (key === null) return '-'
  const text = key.toString('latin1')
  return /^[0-9a-f]{32}$/.test(text) ? text : `(${key.length} bytes, not ours)`
}

/** Text from a record on a terminal: nothing in it moves the cursor or changes colours. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`)
