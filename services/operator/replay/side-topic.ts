/**
 * The topic that a replay writes to: each record exactly once, whatever is stopped or killed. A replay makes the same records in the same order every
 * time, so one that goes on begins anew, finds what is there already, holds it against what it makes, and writes what comes after.
 */

import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { createTopicLike } from '../../../shared/kafka/topics.ts'
import type { PlacedRecord } from '../../../shared/stage/process-batch.ts'
import { openTransactions } from '../../../shared/stage/transaction.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { openCursor } from './side-cursor.ts'
import type { EventRecord } from './side-ending.ts'

/** How long every record of a side topic is kept at least. */
export const keptDays = 7
const dayMs = 24 * 60 * 60 * 1000

export function sideTopicName({ topics, topicPrefix }: KafkaSession, replayId: string): string {
  if (!/^[\w-]{1,64}$/.test(replayId)) throw new UsageError(`${replayId} is no replay id: letters, digits, - and _, at most 64`)
  return `${topicPrefix}replays.${replayId}.${topics.events.slice(topicPrefix.length)}`
}
const groupOf = ({ topicPrefix }: KafkaSession, replayId: string) => `${topicPrefix}operator.replay.${replayId}`

/** Makes it like the public topic, if it is not there. Its records carry old times, by which retention counts: so many days more from now on. */
export async function makeSideTopic(session: KafkaSession, topic: string, oldest: number, now: number): Promise<void> {
  const config = { 'retention.ms': String(now - Math.min(oldest, now) + keptDays * dayMs) }
  await createTopicLike(session.kafka, session.topics.events, topic, config)
}

/** Deletes a side topic and its group. Returns whether there was one. */
export async function removeSideTopic(session: KafkaSession, facts: TopicFacts, replayId: string): Promise<boolean> {
  const topic = sideTopicName(session, replayId)
  const [missing] = await facts.missing([topic])
  const admin = session.kafka.admin()
  await admin.connect()
  try {
    await admin.deleteGroups([groupOf(session, replayId)]).catch(() => {})
    if (!missing) await admin.deleteTopics({ topics: [topic] })
    return !missing
  } finally {
    await admin.disconnect()
  }
}

export type SideWriter = {
  /** Writes what is not there yet, in one transaction. Returns how many that were. */
  write: (records: EventRecord[]) => Promise<number>
  /** Throws if more is there than was handed over. */
  finish: () => Promise<void>
  close: () => Promise<void>
}

/** One partition of a side topic. Fences whoever else replays the same, before it looks what is there. */
export async function openSideWriter(
  session: KafkaSession,
  facts: TopicFacts,
  { topic, replayId, partition }: { topic: string; replayId: string; partition: number },
): Promise<SideWriter> {
  const group = groupOf(session, replayId)
  const transactions = await openTransactions(session.kafka, group, `${group}.${partition}`)
  const where = `${topic}/${partition}`
  try {
    const { low, high } = await facts.bounds(topic, partition)
    if (low > 0) throw new Error(`${where} has lost records to its retention: begin a new replay`)
    const there = openCursor(session, { topic, partition, from: 0, to: high })
    let at = 0
    return {
      async write(records) {
        const added: EventRecord[] = []
        for (const record of records) {
          const existing = added.length === 0 ? await there.head() : undefined
          if (!existing) added.push(record)
          else if (isSame(existing, record)) there.take()
          else throw new Error(`${where}/${existing.offset} is not what this replay makes: begin a new one`)
        }
        at += records.length
        const placed = added.map((record): PlacedRecord => ({ topic, partition, ...record, timestamp: String(record.timestamp) }))
        // The group's offset in the side topic itself is how many of its records are there; with offsets first, a transaction begins settled.
        if (placed.length > 0) await transactions.commit(placed, [{ topic, partition, offset: at }])
        return placed.length
      },
      async finish() {
        const extra = await there.head()
        if (extra) throw new Error(`${where}/${extra.offset} is more than this replay makes: begin a new one`)
      },
      async close() {
        await there.close()
        await transactions.close()
      },
    }
  } catch (error) {
    await transactions.close()
    throw error
  }
}

function isSame(a: { key: Buffer | null; value: Buffer | null } & Omit<EventRecord, 'key' | 'value'>, b: EventRecord): boolean {
  return (
    a.timestamp === b.timestamp &&
    (a.key ?? Buffer.alloc(0)).equals(b.key) &&
    (a.value ?? Buffer.alloc(0)).equals(b.value) &&
    JSON.stringify(a.headers) === JSON.stringify(b.headers)
  )
}
