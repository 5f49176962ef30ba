import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, Kafka } from '../kafka/client.ts'
import { checkSlots } from '../kafka/slots.ts'
import { StopError } from './outcome.ts'
import type { Stage } from './stage.ts'
import { isFenced, openTransactions, type SourceOffset } from './transaction.ts'

const fencedPauseMs = 500

export type From = '' | 'earliest' | 'latest'

/** All that can be refused before a consumer joins. Returns the partition count of the sources. */
export async function prepareStage(
  admin: Admin,
  options: { stage: Stage; kafka: Kafka; group: string; slots: number; from: From },
): Promise<number> {
  const { stage, kafka, group, slots, from } = options
  await admin.connect()
  try {
    const partitions = await partitionCount(admin, stage.sources)
    checkSlots(slots, partitions)
    await ensureStartOffsets(kafka, admin, stage, group, from)
    return partitions
  } catch (error) {
    await admin.disconnect()
    throw error
  }
}

/** All sources have the same count: the partition number is carried through the pipeline. */
async function partitionCount(admin: Admin, topics: string[]): Promise<number> {
  const metadata = await admin.fetchTopicMetadata({ topics })
  const counts = new Set(metadata.topics.map((topic) => topic.partitions.length))
  if (counts.size !== 1)
    throw new Error(`${topics.join(', ')} must have the same number of partitions: run operator topics check`)
  return [...counts][0] as number
}

/**
 * Every source partition has a committed offset before the first record is read. A new group on an empty pipeline gets the start of the log; a
 * group whose offsets were lost (they expire after 7 days without members), or a mistyped group, must not be taken for a new one: it would
 * emit everything again. So: stop, and let an operator say FROM.
 *
 * The offsets are written in a transaction of an id of its own, read again after fencing: two members that start together cannot set
 * each other back; the one that was fenced looks again, and finds them written.
 */
async function ensureStartOffsets(kafka: Kafka, admin: Admin, stage: Stage, group: string, from: From): Promise<void> {
  if ((await withoutOffset(admin, stage, group)).missing.length === 0) return
  const transactions = await openTransactions(kafka, group, `${group}.start`)
  try {
    const { missing, present } = await withoutOffset(admin, stage, group)
    if (missing.length === 0) return
    if (from === '' && (present > 0 || (await haveRecords(admin, stage.outputs)))) {
      const { topic, partition } = missing[0] as SourceOffset
      throw new StopError(
        `Group ${group} has no committed offset for ${topic}/${partition}${missing.length > 1 ? ` and ${missing.length - 1} more` : ''}, although this stage has run before. ` +
          'Its offsets expired, were deleted, or the prefix is mistyped. Start once with FROM=earliest (read everything again) or FROM=latest (skip what is there)',
      )
    }
    const starts: SourceOffset[] = []
    for (const [topic, entries] of Map.groupBy(missing, (entry) => entry.topic)) {
      const bounds = new Map((await admin.fetchTopicOffsets(topic)).map((bound) => [bound.partition, bound]))
      for (const { partition } of entries) {
        const bound = bounds.get(partition)
        starts.push({ topic, partition, offset: Number(from === 'latest' ? bound?.high : bound?.low) })
      }
    }
    await transactions.commit([], starts)
  } catch (error) {
    if (!isFenced(error)) throw error
    await sleep(fencedPauseMs)
    return ensureStartOffsets(kafka, admin, stage, group, from)
  } finally {
    await transactions.close()
  }
}

async function withoutOffset(admin: Admin, stage: Stage, group: string): Promise<{ missing: SourceOffset[]; present: number }> {
  const topics = await admin.fetchOffsets({ groupId: group, topics: stage.sources })
  const all = topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
  )
  const missing = all.filter(({ offset }) => offset < 0)
  return { missing, present: all.length - missing.length }
}

async function haveRecords(admin: Admin, topics: string[]): Promise<boolean> {
  for (const topic of topics) {
    if ((await admin.fetchTopicOffsets(topic)).some(({ high }) => Number(high) > 0)) return true
  }
  return false
}
