/** What a replay is about: offsets of raw or of public topics, and which of the records there. */
import type { SourceRecord } from '../../../shared/kafka/record.ts'

/** `raw`: notifications as they were accepted. `events`: token events as subscribers had them. */
export type ReplaySource = 'raw' | 'events'

/** Offsets `from` to before `to`, all of them still in the log. */
export type ReplayRange = { topic: string; partition: number; from: number; to: number }

export type ReplaySelection = {
  source: ReplaySource
  /** At most one of each partition; none is empty. */
  ranges: ReplayRange[]
  /** Which records of the ranges; absent: all. Asked in offset order within a partition. */
  wants?: (record: SourceRecord) => boolean
}

/** How far a replay is: by `topic/partition` of its ranges the offset before which everything is done. */
export type ReplayProgress = Record<string, number>

/** What a carrier of a replay is told while it runs, and tells in turn. */
export type ReplayRun = {
  /** The value of `replay-id` on what is written. */
  id: string
  selection: ReplaySelection
  /** Where to go on, for a replay that was stopped; partitions that are not named begin at the start of their range. */
  done: ReplayProgress
  /** Records a second, at most; absent: as fast as it goes. */
  rate?: number | undefined
  /** Aborted by Ctrl-C or `replay stop`: finish what is being written, tell how far that is, and return. */
  signal: AbortSignal
  /** Told after each piece of work, in offset order within a partition: the offset before which all is done, and records written for it. */
  onProgress: (where: { topic: string; partition: number }, next: number, written: number) => void
}
