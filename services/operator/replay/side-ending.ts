/** What becomes of a notification: today, by the code that runs here, and what became of it when it was live. */
import { header } from '../../../shared/contracts/headers.ts'
import type { StageName, Topics } from '../../../shared/contracts/topics.ts'
import type { Duplicate } from '../../../shared/contracts/types.ts'
import { decide } from '../../../shared/deduplicate/decide.ts'
import { occurrenceOf } from '../../../shared/deduplicate/occurrence.ts'
import { createRule } from '../../../shared/deduplicate/rule.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import { type NormalizerDeps, normalize } from '../../../shared/normalize/normalize.ts'
import type { Outcome, OutputRecord } from '../../../shared/stage/outcome.ts'
import type { Slot } from './side-slots.ts'

/** A record as the public topic has it; `timestamp` in milliseconds since 1970. */
export type EventRecord = { key: Buffer; value: Buffer; headers: Record<string, string>; timestamp: number }

export type Ending =
  | { kind: 'event'; record: EventRecord }
  | { kind: 'duplicate'; duplicate: Duplicate }
  | { kind: 'dead-letter'; stage: StageName; reason: string }

export type Judge = {
  /** Judges the slots of one partition in order, beginning one window early. Throws only for keys that are missing here. */
  judge: (slot: Slot) => Ending
  logTime: () => number
}

/** `normalizer`: the keys to normalize raw records anew with; records without their raw record are taken as they were normalized. */
export type JudgeDeps = { topics: Topics; windowMs: number; normalizer: NormalizerDeps | undefined }

/** The offset of a record that the live normalizer did not write: a dead letter then, an event by today's code. */
const nowhere = -1

export function createJudge({ topics, windowMs, normalizer }: JudgeDeps): Judge {
  const rule = createRule(windowMs)

  /** The record of the normalized topic as today's code writes it. */
  function renormalize({ normalized, raw }: Slot): SourceRecord | Ending {
    if (!raw || !normalizer) return normalized as SourceRecord
    const outcome = normalize(raw, normalizer)
    if (outcome.kind !== 'emit') return buried('normalizer', outcome)
    const { key, value, headers } = outcome.records[0] as OutputRecord
    const { partition, timestamp } = raw
    const offset = normalized?.offset ?? nowhere
    return {
      ...{ topic: topics.normalized, partition, offset, timestamp, headers },
      ...{ key: Buffer.from(key), value: Buffer.from(value) },
    }
  }

  return {
    judge(slot) {
      const record = renormalize(slot)
      if ('kind' in record) return record
      const outcome = decide(record, rule.judge(occurrenceOf(record)), topics)
      if (outcome.kind !== 'emit') return buried('deduplicator', outcome)
      const { topic, key, value, headers } = outcome.records[0] as OutputRecord
      if (topic === topics.duplicates) return { kind: 'duplicate', duplicate: JSON.parse(String(value)) as Duplicate }
      const { timestamp } = record
      return { kind: 'event', record: { key: Buffer.from(key), value: Buffer.from(value), headers, timestamp } }
    },
    logTime: rule.logTime,
  }
}

const buried = (stage: StageName, { reason }: Exclude<Outcome, { kind: 'emit' }>): Ending => ({
  kind: 'dead-letter',
  stage,
  reason,
})

/** What a record of the public topic, of the duplicates or of a dead letter topic says. */
export function endingOf(record: SourceRecord, topics: Topics): Ending {
  const { topic, key, value, headers, timestamp } = record
  if (topic === topics.duplicates) return { kind: 'duplicate', duplicate: JSON.parse(String(value)) as Duplicate }
  if (topic === topics.events) {
    const empty = Buffer.alloc(0)
    return { kind: 'event', record: { key: key ?? empty, value: value ?? empty, headers, timestamp } }
  }
  const stage = topic === topics.deadLetters.normalizer ? 'normalizer' : 'deduplicator'
  return { kind: 'dead-letter', stage, reason: headers[header.dlqReason] ?? '' }
}
