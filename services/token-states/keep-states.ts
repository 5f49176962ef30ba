import { header } from '../../shared/contracts/headers.ts'
import { hasEnded, stateOf } from '../../shared/contracts/token-state.ts'
import type { Topics } from '../../shared/contracts/topics.ts'
import { readTokenEvent } from '../../shared/contracts/validate.ts'
import { originOf, positionOf } from '../../shared/kafka/record.ts'
import { deadLetter, drop, emit, type Outcome, type SourceRecord } from '../../shared/stage/outcome.ts'
import type { Batch, Step } from '../../shared/stage/stage.ts'
import type { Endings } from './endings.ts'

type Deps = { topics: Topics; recall: (batch: Batch) => Promise<Endings> }

/** The step of token-states: each event that changes its token's state becomes that state, on the partition number of the event. */
export function createKeepStates({ topics, recall }: Deps): Step {
  return {
    async decide(batch) {
      const endings = await recall(batch)
      const outcomes = batch.records.map((record) => keepState(record, endings, topics))
      endings.knownUpTo = Math.max(endings.knownUpTo, batch.end)
      return outcomes
    },
  }
}

/**
 * Pure but for the ending that it adds. A redelivered event meets its own ending, and is written again: the transaction that had its state was aborted.
 * An event whose state was in the topic before (offsets were set back) is not: readers would see the token go back in time.
 */
export function keepState(record: SourceRecord, endings: Endings, topics: Topics): Outcome {
  const { offset } = record
  if (offset < endings.written) return drop('written-before')
  const read = readTokenEvent(record.value)
  if ('mistakes' in read) return deadLetter('not-an-event', `The value is no TokenEvent: ${read.mistakes.join('; ')}`)
  const origin = originOf(record)
  const state = stateOf(read.value, { origin, position: positionOf(record) })
  if (!state) return drop(read.value.late ? 'late' : 'no-token')
  const endedAt = endings.endedAt(state.tokenRef)
  if (endedAt !== undefined && endedAt < offset) return drop('ended-before')
  if (hasEnded(state)) endings.end(state.tokenRef, offset)
  const headers = { [header.origin]: origin, [header.contentType]: 'application/json' }
  return emit([{ topic: topics.states, key: state.tokenRef, value: JSON.stringify(state), headers }])
}
