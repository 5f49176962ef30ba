/**
 * The order in which a replay judges. Two raw topics meet in one partition of the normalized topic, and verdicts depend on how they met there (log time). So a
 * replay follows the normalized topic and takes each raw record where its origin says. A raw record that is not there, because it became a
 * dead letter, comes before the next one of its own topic.
 */
import { parsePosition } from '../../../shared/contracts/topics.ts'
import { originOf, type SourceRecord } from '../../../shared/kafka/record.ts'
import type { Cursor } from './side-cursor.ts'

/** At least one of both. Without `raw`: a replay from events, a topic that the range does not have, or what a redrive put there. */
export type Slot = { normalized?: SourceRecord; raw?: SourceRecord }

/** Ends when all raw cursors have, or, without any, when the normalized one has. */
export async function* inLiveOrder(normalized: Cursor, raws: Map<string, Cursor>): AsyncGenerator<Slot> {
  for (let record = await normalized.head(); record; record = await normalized.head()) {
    if (raws.size > 0 && (await haveEnded(raws))) return
    const origin = parsePosition(originOf(record))
    const cursor = origin && raws.get(origin.topic)
    const offset = Number(origin?.offset)
    let raw = await cursor?.head()
    for (; cursor && raw && raw.offset < offset; raw = await cursor.head()) {
      yield { raw }
      cursor.take()
    }
    if (cursor && raw?.offset === offset) {
      yield { normalized: record, raw }
      cursor.take()
    } else yield { normalized: record }
    normalized.take()
  }
  for (const cursor of raws.values()) {
    for (let raw = await cursor.head(); raw; raw = await cursor.head()) {
      yield { raw }
      cursor.take()
    }
  }
}

async function haveEnded(cursors: Map<string, Cursor>): Promise<boolean> {
  for (const cursor of cursors.values()) if (await cursor.head()) return false
  return true
}
