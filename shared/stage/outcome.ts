import type { SourceRecord } from '../kafka/record.ts'

export type { SourceRecord }

/** A record that a step wants written. Without `partition` it goes to the partition number of its source. */
export type OutputRecord = {
  topic: string
  partition?: number
  key: string
  value: Buffer | string
  headers: Record<string, string>
}

/**
 * What becomes of one source record: the whole set. A step *returns* what is wrong with the record and *throws* what is wrong with
 * the world (Redis down, key missing): then the batch waits and is tried again, and nothing moves.
 */
export type Outcome =
  | { kind: 'emit'; records: OutputRecord[]; counts?: Record<string, number> }
  | { kind: 'drop'; reason: string }
  | { kind: 'dead-letter'; reason: string; detail: string }

export const emit = (records: OutputRecord[], counts?: Record<string, number>): Outcome =>
  counts ? { kind: 'emit', records, counts } : { kind: 'emit', records }
export const drop = (reason: string): Outcome => ({ kind: 'drop', reason })

/** `reason` is a code (it is counted by), `detail` a sentence for the operator; neither ever quotes a value. */
export const deadLetter = (reason: string, detail: string): Outcome => ({ kind: 'dead-letter', reason, detail })

/** Wrong with the world in a way that no retry mends and no guess may bridge: the process says so and ends. */
export class StopError extends Error {}

/** Another owner seems to have gone on from here. The stage asks the group: not ours any more, let go; still ours, open anew; again, stop. */
export class FencedError extends Error {}
