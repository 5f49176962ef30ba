/**
 * Sending a dead letter back to where it fell out, as a new record that says so (`redrive-of`). What that means for the accounts:
 *
 * - A redriven record is its own origin; the dead letter stays counted as dead. So it carries no origin header, whatever its dead letter had: that
 *   origin has ended (as dead), and a second redrive would end it a third time. In a raw topic this makes it one more raw record. In the
 *   normalized topic nothing else lacks the header, and `originOf` gives its own position, which the deduplicator writes on the event
 *   or the duplicate that it becomes, and the stage on the dead letter that it becomes again. The accounts: raw records + redriven records
 *   of the normalized topic = events + duplicates + dead letters. The way back: `redrive-of` → the dead letter → its origin, the raw record.
 * - It carries the timestamp of its dead letter, which is the raw record's; raw topics stamp their own (LogAppendTime). In the
 *   normalized topic the present would be wrong: while the pipeline lags, or with a clock that is fast, it would move the partition's log
 *   time ahead of the records behind it, and let repeats pass. The old time can move nothing: the record that fell out had it, earlier in the
 *   same partition.
 * - Two redrives of one dead letter lie between its timestamp and the end of its window, so the second meets the first one's
 *   claim. That is why a dead letter older than the window is refused.
 */
import { header } from '../../../shared/contracts/headers.ts'
import type { StageName, Topics } from '../../../shared/contracts/topics.ts'
import type { AppendedRecord } from '../../../shared/kafka/append.ts'
import type { DeadLetter } from './dead-letter.ts'

export type RedrivenRecord = AppendedRecord & { topic: string; partition: number; deadLetter: string }
export type Rules = { topics: Topics; windowMs: number; now: number }

/** The record to append, or why there is none. Pure. */
export function redriven(letter: DeadLetter, rules: Rules): RedrivenRecord | { refused: string } {
  const refused = refusalOf(letter, rules)
  if (refused) return { refused }
  const { key, value, headers, timestamp, partition } = letter.record
  const original = Object.entries(headers).filter(([name]) => !name.startsWith('dlq-') && name !== header.origin)
  return {
    deadLetter: letter.position,
    topic: letter.from.topic,
    partition,
    timestamp,
    key,
    value,
    headers: { ...Object.fromEntries(original), [header.redriveOf]: letter.position },
  }
}

function refusalOf({ stage, from, record }: DeadLetter, { topics, windowMs, now }: Rules): string | undefined {
  if (stage === 'merchant-sync' || stage === 'token-states')
    return `its event is on ${topics.events} already: there again, every subscriber would get the change twice`
  // Headers decide where it goes, so they may only say what the stage itself would have written.
  if (!sourcesOf(stage, topics).includes(from.topic) || from.partition !== String(record.partition))
    return `it names no partition that the ${stage} reads as where it fell out: the ${stage} did not write it`
  if (now - record.timestamp > windowMs)
    return `it was accepted at ${new Date(record.timestamp).toISOString()}, longer ago than the ${windowMs / 3_600_000} hours in which a repeat is told from a new change: redriven twice, it could become two events`
  return undefined
}

const sourcesOf = (stage: Exclude<StageName, 'merchant-sync' | 'token-states'>, topics: Topics): string[] =>
  stage === 'normalizer' ? Object.values(topics.raw) : [topics.normalized]
