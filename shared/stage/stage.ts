/**
 * A stage: read batches from source topics, let a *step* decide about each record, and put outputs, dead letters and source offsets
 * into one Kafka transaction. Normalizer, deduplicator and merchant-sync are three steps in this one loop.
 *
 *   run-stage.ts      consumer, heartbeats, generations          slot.ts         a slot's loop: take, decide, commit, recover
 *   transaction.ts    fencing, offsets first, one send, commit   process-batch.ts   outcomes → records (no broker in it)
 */
import type { StageName } from '../contracts/topics.ts'
import type { Outcome, SourceRecord } from './outcome.ts'

/** Consecutive records of one partition, as one owner of its slot has them. */
export type Batch = {
  topic: string
  partition: number
  records: SourceRecord[]
  /** Where this owner's last batch ended: the committed offset. Records between here and the first were control or aborted records. */
  begin: number
  /** One past the last record: committed together with what the step returns. */
  end: number
  /** Aborted when this owner has lost the slot: what takes long may end early. */
  signal?: AbortSignal
}

export type Step = {
  /** One outcome per record, in order. Throws when the world is wrong: the same records come again. */
  decide: (batch: Batch) => Promise<Outcome[]>
  /** How many of these records (at least 1) one batch may hold; all if absent. */
  take?: (records: SourceRecord[]) => number
}

export type Stage = {
  name: StageName
  sources: string[]
  /** The topics whose records show that this stage has run before. */
  outputs: string[]
  deadLetters: string
  step: Step
}
