/**
 * A new subscriber, as the README tells it: first the states to their end, then the events from where the states end, by the same rule. Reads what
 * is committed only.
 */
import { header } from '../../shared/contracts/headers.ts'
import { hasEnded, stateOf } from '../../shared/contracts/token-state.ts'
import { formatPosition } from '../../shared/contracts/topics.ts'
import type { TokenState } from '../../shared/contracts/types.ts'
import { readTokenEvent } from '../../shared/contracts/validate.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { type Teardown, type TopicSet, testKafka } from '../support/topic-set.ts'

export type States = Map<string, TokenState>
type KafkaRecord = { topic: string; partition: number; offset: string; value: Buffer | null; origin: string }

/** A state by an event, if it changes one. */
export function follow(states: States, { topic, partition, offset, value, origin }: KafkaRecord): void {
  const event = readTokenEvent(value)
  if ('mistakes' in event) throw new Error(event.mistakes.join('; '))
  const state = stateOf(event.value, { origin, position: formatPosition({ topic, partition, offset }) })
  const before = state && states.get(state.tokenRef)
  if (state && !(before && hasEnded(before))) states.set(state.tokenRef, state)
}

export async function subscribe(t: Teardown, { topics, partitions }: TopicSet) {
  const kafka = testKafka('subscriber')
  const states: States = new Map()
  /** Per partition: one past the newest event that the states hold. */
  const next = new Array<number>(partitions).fill(0)
  const reader = await readTopics({
    kafka,
    topics: [topics.states],
    onRecord({ partition, value }) {
      const state = JSON.parse(String(value)) as TokenState
      states.set(state.tokenRef, state)
      next[partition] = Number(state.position.split('/')[2]) + 1
    },
  })
  await reader.caughtUp
  await reader.stop()
  const begun = [...next]

  const consumer = kafka.consumer({ groupId: `${topics.events}.subscriber`, maxWaitTimeInMs: 100 })
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const [partition, offset] of next.entries()) consumer.seek({ topic: topics.events, partition, offset: String(offset) })
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topics.events], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    async eachMessage({ topic, partition, message: { offset, value, headers } }) {
      if (Number(offset) < (next[partition] as number)) throw new Error(`${topic}/${partition}/${offset} came again`)
      next[partition] = Number(offset) + 1
      follow(states, { topic, partition, offset, value, origin: String(headers?.[header.origin]) })
    },
  })
  t.teardown(() => consumer.disconnect())
  return { states, next, begun }
}
