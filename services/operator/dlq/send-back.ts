import { appendRecords } from '../../../shared/kafka/append.ts'
import { describeError } from '../../../shared/runtime/log.ts'
import type { Answer } from '../answer.ts'
import { audit, type KafkaSession } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { moreLines, type Selected } from './read-dead-letters.ts'
import { type RedrivenRecord, type Rules, redriven } from './redrive.ts'

type Options = { rules: Rules; dryRun?: boolean; confirm?: number }

/** Redrives what was selected, if its number is the confirmed one. */
export async function sendBack(
  session: KafkaSession,
  terminal: Terminal,
  { total, letters, after }: Selected,
  options: Options,
): Promise<Answer> {
  const judged = letters.map((letter) => ({ letter, back: redriven(letter, options.rules) }))
  const records = judged.flatMap(({ back }) => ('refused' in back ? [] : [back]))
  const refused = judged.flatMap(({ letter, back }) =>
    'refused' in back ? [{ deadLetter: letter.position, why: back.refused }] : [],
  )
  const confirmed = !options.dryRun && options.confirm === records.length
  const done = confirmed && records.length > 0 ? await append(session, terminal, records) : []
  const planned = records.map(({ deadLetter, topic, partition }) => ({ deadLetter, to: `${topic}/${partition}` }))
  const text = [
    ...(done.length > 0 ? done : planned).map(({ deadLetter, to }) => `${deadLetter} → ${to}`),
    ...refused.map(({ deadLetter, why }) => `${deadLetter} refused: ${why}`),
    lastWord(options, records.length, refused.length, done.length),
    ...moreLines({ total, letters, after }),
  ]
  return {
    fulfilled: refused.length === 0 && (options.dryRun === true || confirmed || letters.length === 0),
    document: { selected: total, planned, redriven: done, refused, dryRun: options.dryRun === true, ...(after && { after }) },
    text: text.join('\n'),
  }
}

function lastWord({ dryRun, confirm }: Options, planned: number, refused: number, done: number): string {
  const besides = refused > 0 ? `, ${refused} refused` : ''
  if (done > 0) return `${done} redriven${besides}.`
  if (planned === 0) return `Nothing to redrive${besides}.`
  if (dryRun) return `${planned} would be redriven${besides}.`
  const other = confirm === undefined ? '' : `not ${confirm}, `
  return `Nothing was redriven: it is ${planned}${besides}, ${other}so repeat it with --confirm ${planned}.`
}

type Redriven = { deadLetter: string; to: string }

/** The audit record comes first, so that no redrive goes unrecorded, whatever kills this process; redriving the same again is harmless. */
async function append(session: KafkaSession, terminal: Terminal, records: RedrivenRecord[]): Promise<Redriven[]> {
  await audit(session, terminal, 'dlq redrive', { redriven: offsetsOf(records) }, 'before')
  const progress = createProgress(terminal.screen, 'Redriving', records.length)
  const done: Redriven[] = []
  try {
    await appendRecords(session.kafka, records, (count, firstOffset) => {
      const sent = records.slice(done.length, count)
      for (const [index, { deadLetter, topic, partition }] of sent.entries())
        done.push({ deadLetter, to: `${topic}/${partition}/${BigInt(firstOffset) + BigInt(index)}` })
      progress.advance(count)
    })
    return done
  } catch (error) {
    const next = records[done.length]?.deadLetter
    throw new Error(
      `${done.length} of ${records.length} redriven, the next was ${next}: ${describeError(error)}. Do it again: the same twice is one event`,
    )
  } finally {
    progress.end()
  }
}

/** Offsets by `topic/partition` of the dead letters: short, so that one audit record holds them all. */
function offsetsOf(records: RedrivenRecord[]): Record<string, number[]> {
  const places = records.map(({ deadLetter }) => {
    const end = deadLetter.lastIndexOf('/')
    return { partition: deadLetter.slice(0, end), offset: Number(deadLetter.slice(end + 1)) }
  })
  const grouped = Map.groupBy(places, ({ partition }) => partition)
  return Object.fromEntries([...grouped].map(([partition, entries]) => [partition, entries.map(({ offset }) => offset)]))
}
