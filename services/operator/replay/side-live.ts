/**
 * What became of each notification when it was live, in step with a replay. The deduplicator writes one outcome for each record of the normalized topic,
 * in order: duplicates and dead letters name its offset, so what is neither is the next event.
 */
import { header } from '../../../shared/contracts/headers.ts'
import { parsePosition, type Topics } from '../../../shared/contracts/topics.ts'
import type { Duplicate } from '../../../shared/contracts/types.ts'
import { originOf, positionOf, type SourceRecord } from '../../../shared/kafka/record.ts'
import type { Cursor } from './side-cursor.ts'
import { type Ending, endingOf } from './side-ending.ts'
import type { Slot } from './side-slots.ts'

/** Of one partition. */
export type LiveCursors = {
  events: Cursor
  duplicates: Cursor
  deduplicatorDeadLetters: Cursor
  normalizerDeadLetters: Cursor
}

export type Live = {
  /** Goes past a slot before the range. */
  pass: (slot: Slot) => void
  /** Undefined: it has none, or no longer. Every slot of the range is asked for, in order. */
  endingOf: (slot: Slot) => Promise<Ending | undefined>
}

export async function openLive(topics: Topics, cursors: LiveCursors): Promise<Live> {
  const normalizerDeadLetters = await readAll(cursors.normalizerDeadLetters, topics)
  /** How far the replay is, by the topic that records have their origin in. */
  const passed = new Map<string, number>()

  function pass({ normalized, raw }: Slot): void {
    const origin = parsePosition(normalized ? originOf(normalized) : positionOf(raw as SourceRecord))
    if (origin) passed.set(origin.topic, Number(origin.offset))
  }

  /** Events of slots that have been passed are before the range, or there a second time because offsets were set back. */
  async function eventOf(origin: string): Promise<SourceRecord | undefined> {
    for (let event = await cursors.events.head(); event; event = await cursors.events.head()) {
      const its = originOf(event)
      const at = parsePosition(its)
      if (its !== origin && at && Number(at.offset) > (passed.get(at.topic) ?? -1)) return undefined
      cursors.events.take()
      if (its === origin) return event
    }
    return undefined
  }

  return {
    pass,
    async endingOf(slot) {
      const { normalized, raw } = slot
      if (!normalized) return normalizerDeadLetters.get(positionOf(raw as SourceRecord))
      const record =
        (await atOffset(cursors.duplicates, normalized.offset, judgedAt)) ??
        (await atOffset(cursors.deduplicatorDeadLetters, normalized.offset, fellOutAt)) ??
        (await eventOf(originOf(normalized)))
      pass(slot)
      return record && endingOf(record, topics)
    },
  }
}

/** The record whose offset in the normalized topic is this; those before it are left behind. */
async function atOffset(
  cursor: Cursor,
  offset: number,
  offsetOf: (record: SourceRecord) => number,
): Promise<SourceRecord | undefined> {
  for (let record = await cursor.head(); record && offsetOf(record) <= offset; record = await cursor.head()) {
    cursor.take()
    if (offsetOf(record) === offset) return record
  }
  return undefined
}

const judgedAt = ({ value }: SourceRecord) => Number(parsePosition((JSON.parse(String(value)) as Duplicate).position)?.offset)
const fellOutAt = ({ headers }: SourceRecord) => Number(headers[header.dlqOffset])

/** Few and small: the raw topics meet in another order here than there, so they are looked up. */
async function readAll(cursor: Cursor, topics: Topics): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>()
  for (let record = await cursor.head(); record; record = await cursor.head()) {
    endings.set(originOf(record), endingOf(record, topics))
    cursor.take()
  }
  return endings
}
