/** What a slot holds of one fetch, and how the next batch is taken from it. */
import { type Admin, type KafkaMessage, outOfRange } from '../kafka/client.ts'
import { toSourceRecord } from '../kafka/record.ts'
import { StopError } from './outcome.ts'
import type { Batch, Step } from './stage.ts'

/** What one fetch brought of one partition. */
export type Fetched = {
  topic: string
  partition: number
  messages: KafkaMessage[]
  /** Where the fetch began, and one past its last record, control records included. */
  from: number
  end: number
  lag: number
  /** Moves the consumer's position beyond this offset. */
  resolve: (offset: string) => void
}

/** `next` is the index of the first message that is not committed; `done` releases the records to the consumer. */
export type Pending = { fetched: Fetched; next: number; done: () => void }
export type Taken = { pending: Pending; batch: Batch; last: KafkaMessage }

/**
 * As a rule all that a fetch brought of a partition: a transaction takes 10 ms of CPU however small. With 500, which left a small second transaction
 * of each fetch, an empty stage drained 25,000 records/s on two cores; so it drains 33,000.
 */
const maxRecords = 1_000

/** The next batch from `begin` (the committed offset) on; undefined when everything fetched is committed already. */
export function takeBatch(pending: Pending, begin: number, step: Step): Taken | undefined {
  const { topic, partition, messages, end } = pending.fetched
  while (pending.next < messages.length && Number(messages[pending.next]?.offset) < begin) pending.next++
  const upTo = messages.slice(pending.next, pending.next + maxRecords)
  const candidates = upTo.map((message) => toSourceRecord(topic, partition, message))
  const records = candidates.slice(0, step.take?.(candidates))
  const last = upTo[records.length - 1]
  if (!last) return undefined
  // With the last record of a fetch, the control records behind it are committed too.
  const isLast = pending.next + records.length === messages.length
  return { pending, last, batch: { topic, partition, records, begin, end: isLast ? end : Number(last.offset) + 1 } }
}

/**
 * Nothing between the committed offset and what was fetched may be missing. A committed offset that is gone or went back would emit everything
 * again; a log that starts later has lost records. Either way: stop and say which.
 */
export async function checkContinuity(
  admin: Admin,
  { topic, partition, from }: Fetched,
  begin: number,
  reached?: number,
): Promise<void> {
  const where = `${topic}/${partition}`
  if (begin < 0) throw new StopError(`The committed offset of ${where} is gone. Start once with FROM=earliest or FROM=latest`)
  if (reached !== undefined && begin < reached) {
    throw new StopError(
      `The committed offset of ${where} went back from ${reached} to ${begin}: offsets were set by hand or lost. Restart to go on from ${begin}`,
    )
  }
  // Control and aborted records move the fetch position without being handed over, so a gap alone proves nothing.
  if (from > begin) await checkRetention(admin, topic, partition, begin)
}

/** Throws if the log does not have `begin` any more, or not yet. */
async function checkRetention(admin: Admin, topic: string, partition: number, begin: number): Promise<void> {
  const bounds = (await admin.fetchTopicOffsets(topic)).find((entry) => entry.partition === partition)
  const [low, high] = [Number(bounds?.low), Number(bounds?.high)]
  const where = `${topic}/${partition}`
  if (begin < low) {
    throw new StopError(
      `${where}: offsets ${begin} to ${low - 1} left retention before they were processed. Nothing was skipped: decide what to do about them, then set the group's offset to ${low}`,
    )
  }
  if (begin > high) {
    throw new StopError(
      `${where}: the committed offset ${begin} lies beyond the end of the log, ${high}: the topic was made anew or lost records`,
    )
  }
}

/** An offset out of range is named with the range; anything else is what kafkajs said. */
export async function explainCrash(admin: Admin, group: string, error: Error): Promise<Error> {
  const lost = outOfRange(error)
  if (!lost) return error
  try {
    const [topic] = await admin.fetchOffsets({ groupId: group, topics: [lost.topic] })
    const committed = topic?.partitions.find(({ partition }) => partition === lost.partition)?.offset
    await checkRetention(admin, lost.topic, lost.partition, Number(committed))
    return error
  } catch (explained) {
    return explained as Error
  }
}
