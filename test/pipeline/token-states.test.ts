import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import { groupId } from '../../shared/contracts/topics.ts'
import type { TokenState } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { strictMistakes } from '../contracts/strict.ts'
import { readAll } from '../support/read-topic.ts'
import type { TopicSet } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { follow, type States, subscribe } from '../token-states/subscriber.ts'
import { startPipeline } from './pipeline.ts'
import { accountsOf, developmentKeys, processed, simulate } from './simulation.ts'

const parse = ({ value }: SourceRecord) => JSON.parse(String(value)) as TokenState
const texts = (states: States) => [...states.values()].map((state) => JSON.stringify(state)).sort()

/** The states of all tokens after each event that changed one, by reading all events from the start. */
async function statesOfEvents({ topics }: TopicSet): Promise<{ states: States; changes: string[]; ends: number[] }> {
  const states: States = new Map()
  const changes: string[] = []
  const ends: number[] = []
  for (const { topic, partition, offset, value, headers } of await readAll(topics.events)) {
    follow(states, { topic, partition, offset: String(offset), value, origin: String(headers[header.origin]) })
    ends[partition] = offset + 1
    const changed = [...states.values()].find(({ position }) => position === `${topic}/${partition}/${offset}`)
    if (changed) changes.push(JSON.stringify(changed))
  }
  return { states, changes, ends }
}

t.test(
  'killed, hung and woken up late: each change of a token is one state; who subscribes in the middle misses nothing',
  async (t) => {
    const { keys, env } = await developmentKeys()
    const pipeline = await startPipeline(t, env)
    const { set, gatewayUrl, services, startAnother } = pipeline
    const simulation = simulate(gatewayUrl, keys, { seed: 21, count: 3_000, rate: 150 })

    const first = services['token-states']
    await waitFor('token-states to be in the middle of it', () => processed(first) > 200)
    await first.kill()
    const second = await startAnother('token-states')
    await waitFor('the second one to be at work', () => processed(second) > 200, { timeoutMs: 60_000 })
    const subscriber = await subscribe(t, set)
    t.ok(subscriber.states.size > 100, 'the subscriber found states')
    t.ok(
      subscriber.begun.every((offset) => offset > 0),
      'on every partition',
    )
    second.pause()
    const third = await startAnother('token-states')
    await waitFor('the third one to be at work', () => processed(third) > 100, { timeoutMs: 60_000 })
    second.resume()
    await simulation
    await accountsOf(pipeline)

    const { states, changes, ends } = await statesOfEvents(set)
    const admin = set.kafka.admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())
    await waitFor('token-states to have read all events', async () => {
      const [group] = await admin.fetchOffsets({ groupId: groupId('token-states', set.prefix), topics: [set.topics.events] })
      return group?.partitions.every(({ partition, offset }) => Number(offset) >= (ends[partition] ?? 0))
    })
    const written = await readAll(set.topics.states)
    t.strictSame(
      written.map((record) => String(record.value)).sort(),
      changes.sort(),
      'one state for each event that changes a token, and no other',
    )
    for (const state of written.map(parse)) {
      const mistakes = strictMistakes('urn:token-state:v1', state)
      if (mistakes.length > 0) t.fail(mistakes.join())
    }
    t.ok(
      written.every(({ key, partition, value }) => {
        const { tokenRef, position } = JSON.parse(String(value)) as TokenState
        return String(key) === tokenRef && position.startsWith(`${set.topics.events}/${partition}/`)
      }),
      'keyed by the token, on the partition number of its event',
    )
    const latest: States = new Map(written.map(parse).map((state) => [state.tokenRef, state]))
    t.strictSame(texts(latest), texts(states), 'the latest states are those of all events')

    await waitFor('the subscriber to have read all events', () =>
      ends.every((end, partition) => subscriber.next[partition] === end),
    )
    t.strictSame(texts(subscriber.states), texts(states), 'and so are those of the subscriber who began in the middle')
    t.ok(
      subscriber.begun.some((offset, partition) => offset < (ends[partition] ?? 0)),
      'who had events to follow',
    )
    const statuses = new Set([...states.values()].map(({ status }) => status))
    t.ok(statuses.has('active') && statuses.has('canceled'), 'of tokens alive and ended')
  },
)
