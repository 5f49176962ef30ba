/** A range of a topic, pulled record by record: several are merged, each as fast as the others need it. */
import { Readable } from 'node:stream'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import type { KafkaSession } from '../kafka-session.ts'
import type { ReplayRange } from './selection.ts'

export type Cursor = {
  /** The next record; undefined at the end of the range. Rejects when the range cannot be read. */
  head: () => Promise<SourceRecord | undefined>
  /** Goes on to the record behind it. */
  take: () => void
  close: () => Promise<void>
}

/** Chunks that wait to be asked for. */
const maxAhead = 2

/** Begins to read at once, so that cursors that are opened together join their groups together. */
export function openCursor({ kafka, topicPrefix }: KafkaSession, { topic, ...range }: ReplayRange): Cursor {
  const read = createRangeReader({ kafka, topic, groupPrefix: `${topicPrefix}operator.` })
  const closed = new AbortController()
  let wanted = () => {}
  const chunks = new Readable({ objectMode: true, highWaterMark: maxAhead, read: () => wanted() })
  const reading = read({
    ...range,
    signal: closed.signal,
    async onRecords(records) {
      if (records.length === 0 || chunks.push(records)) return
      await new Promise<void>((resolve) => {
        wanted = resolve
      })
    },
  }).then(
    () => void chunks.push(null),
    (error) => void chunks.destroy(error),
  )
  const records = oneByOne(chunks)
  const next = () => {
    const following = records.next().then(({ value }) => value || undefined)
    // Whoever asks for the head is told; nobody may ask.
    following.catch(() => {})
    return following
  }
  let head = next()
  return {
    head: () => head,
    take: () => {
      head = next()
    },
    async close() {
      closed.abort(new Error('Closed'))
      wanted()
      await reading
      chunks.destroy()
    },
  }
}

async function* oneByOne(chunks: Readable): AsyncGenerator<SourceRecord, undefined> {
  for await (const chunk of chunks) yield* chunk as SourceRecord[]
}
