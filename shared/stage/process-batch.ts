import { header } from '../contracts/headers.ts'
import { originOf } from '../kafka/record.ts'
import type { Outcome, OutputRecord, SourceRecord } from './outcome.ts'
import type { Batch, Stage } from './stage.ts'

/** A record with its place: what goes to Kafka. The timestamp is the raw record's, carried from topic to topic. */
export type PlacedRecord = {
  topic: string
  partition: number
  key: string | Buffer | null
  value: string | Buffer | null
  headers: Record<string, string>
  timestamp: string
}

export type Processed = { outputs: PlacedRecord[]; counts: Record<string, number> }

/** Lets the step decide and turns its outcomes into records. No broker, no clock: `failedAt` comes in. */
export async function processBatch(stage: Stage, batch: Batch, failedAt: string): Promise<Processed> {
  const outcomes = await stage.step.decide(batch)
  if (outcomes.length !== batch.records.length) {
    throw new Error(`${stage.name} decided about ${outcomes.length} of ${batch.records.length} records`)
  }
  const outputs: PlacedRecord[] = []
  const counts: Record<string, number> = {}
  const count = (what: string, by: number) => {
    counts[what] = (counts[what] ?? 0) + by
  }
  outcomes.forEach((outcome, index) => {
    const source = batch.records[index] as SourceRecord
    outputs.push(...recordsOf(stage, source, outcome, failedAt))
    count(countedAs[outcome.kind], 1)
    if (outcome.kind === 'emit') for (const [what, by] of Object.entries(outcome.counts ?? {})) count(what, by)
  })
  return { outputs, counts }
}

const countedAs = { emit: 'emitted', drop: 'dropped', 'dead-letter': 'deadLetters' } as const satisfies Record<
  Outcome['kind'],
  string
>

function recordsOf(stage: Stage, source: SourceRecord, outcome: Outcome, failedAt: string): PlacedRecord[] {
  switch (outcome.kind) {
    case 'drop':
      return []
    case 'emit':
      return outcome.records.map((record) => place(record, source))
    case 'dead-letter':
      return [buryIn(stage, source, outcome.reason, outcome.detail, failedAt)]
  }
}

function place(record: OutputRecord, source: SourceRecord): PlacedRecord {
  const { topic, partition = source.partition, key, value, headers } = record
  return { topic, partition, key, value, headers, timestamp: String(source.timestamp) }
}

/** The original key, value and headers untouched, so that a redrive can put it back exactly. */
function buryIn(stage: Stage, source: SourceRecord, reason: string, detail: string, failedAt: string): PlacedRecord {
  return {
    topic: stage.deadLetters,
    partition: source.partition,
    key: source.key,
    value: source.value,
    headers: {
      ...source.headers,
      [header.origin]: originOf(source),
      [header.dlqStage]: stage.name,
      [header.dlqReason]: reason,
      [header.dlqDetail]: detail,
      [header.dlqTopic]: source.topic,
      [header.dlqPartition]: String(source.partition),
      [header.dlqOffset]: String(source.offset),
      [header.dlqFailedAt]: failedAt,
    },
    timestamp: String(source.timestamp),
  }
}
