import type { StageName } from '../../../shared/contracts/topics.ts'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import { openTopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { hasTopic } from '../../../shared/kafka/topics.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { type DeadLetter, inOrder, placeOf, toDeadLetter } from './dead-letter.ts'
import { matches, rangeOf, type Selection } from './selection.ts'

export type Count = { stage: StageName; reason: string; count: number }

/** What is selected: counted in full; of the letters themselves the first `limit` in order. `after`: the last of these, if there are more. */
export type Selected = { total: number; counts: Count[]; letters: DeadLetter[]; after?: string | undefined }

export const moreLines = ({ total, letters, after }: Pick<Selected, 'total' | 'letters' | 'after'>): string[] =>
  after ? [`${total - letters.length} more: go on with --after ${after}`] : []

/** Reads the dead letter topics as they are now. Memory is bounded by the limit, however many there are. */
export async function readDeadLetters(
  session: KafkaSession,
  terminal: Terminal,
  selection: Selection,
  limit: number,
): Promise<Selected> {
  const counts = new Map<string, Count>()
  let letters: DeadLetter[] = []
  let total = 0
  const cut = () => {
    letters = letters.sort((a, b) => inOrder(placeOf(a), placeOf(b))).slice(0, limit)
  }

  function take(letter: DeadLetter): void {
    if (!matches(letter, selection)) return
    total++
    const { stage, reason } = letter
    const count = counts.get(`${stage} ${reason}`) ?? { stage, reason, count: 0 }
    counts.set(`${stage} ${reason}`, { ...count, count: count.count + 1 })
    letters.push(letter)
    if (letters.length >= 2 * limit) cut()
  }

  const ranges = await rangesOf(session, selection)
  const records = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  const progress = createProgress(terminal.screen, 'Reading', records)
  try {
    let read = 0
    await Promise.all(
      ranges.map(({ stage, reader, partition, from, to }) => {
        let upTo = from
        return reader({
          partition,
          from,
          to,
          async onRecords(chunk, end) {
            for (const record of chunk) take(toDeadLetter(stage, record))
            read += end - upTo
            upTo = end
            progress.advance(read)
          },
        })
      }),
    )
  } finally {
    progress.end()
  }
  cut()
  const sorted = [...counts.values()].sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1))
  return { total, counts: sorted, letters, after: total > letters.length ? letters.at(-1)?.position : undefined }
}

async function rangesOf({ kafka, topics, topicPrefix }: KafkaSession, selection: Selection) {
  const facts = await openTopicFacts(kafka)
  try {
    const ranges = []
    // One topic after the other: asked about several at once, kafkajs may answer from metadata that lack one.
    for (const stage of selection.stages) {
      const topic = topics.deadLetters[stage]
      if (!(await hasTopic(kafka, topic))) throw new Error(`Topic ${topic} is missing. Make it with: operator topics apply`)
      const reader = createRangeReader({ kafka, topic, groupPrefix: `${topicPrefix}operator.` })
      for (const [partition, bounds] of await facts.allBounds(topic)) {
        const [from, to] = rangeOf(selection, { stage, partition, ...bounds })
        ranges.push({ stage, reader, partition, from, to })
      }
    }
    return ranges
  } finally {
    await facts.close()
  }
}
