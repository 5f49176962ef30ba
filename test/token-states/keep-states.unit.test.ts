import fc from 'fast-check'
import t from 'tap'
import { createEndings, createMemory, createRecall } from '../../services/token-states/endings.ts'
import { createKeepStates, keepState } from '../../services/token-states/keep-states.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { TokenEvent, TokenState } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { createLog } from '../../shared/runtime/log.ts'
import type { Outcome } from '../../shared/stage/outcome.ts'
import { strictMistakes } from '../contracts/strict.ts'
import { canceled, eventRecord, refOf, tokenEvent } from './token-events.ts'

const topics = topicNames()
const log = createLog('test', 'silent')
const recordOf = (offset: number, event: unknown) => eventRecord(topics.events, offset, event)
const stateIn = (outcome: Outcome) =>
  outcome.kind === 'emit' ? (JSON.parse(String(outcome.records[0]?.value)) as TokenState) : undefined
const fates = (...events: TokenEvent[]) => {
  const endings = createEndings()
  return events.map((event, offset) => {
    const outcome = keepState(recordOf(offset, event), endings, topics)
    return outcome.kind === 'drop' ? outcome.reason : stateIn(outcome)?.status
  })
}

t.test('a state is what the event said, with its position, and nothing sealed or personal', async (t) => {
  const [record] = (keepState(recordOf(7, tokenEvent(1)), createEndings(), topics) as Outcome & { kind: 'emit' }).records
  t.match(record, { topic: topics.states, key: refOf(1), headers: { origin: 'raw/0/7', 'content-type': 'application/json' } })
  t.equal(record?.partition, undefined, 'the partition number of the event')
  const state = JSON.parse(String(record?.value))
  t.strictSame(strictMistakes('urn:token-state:v1', state), [])
  t.strictSame(state, {
    tokenRef: refOf(1),
    status: 'active',
    eventId: refOf(1_000_001),
    type: 'token.created',
    provider: 'alipayplus',
    account: 'client-1',
    merchantId: 'shop',
    authClientId: 'client-1',
    expiresAt: '2027-01-01T00:00:00.000Z',
    scopes: ['PAY'],
    origin: 'raw/0/7',
    position: 'token-events.v1/0/7',
    updatedAt: '2026-01-01T00:00:00.000Z',
  })
})

t.test('what ended stays so: no creation, late or not, and no other ending changes it', async (t) => {
  const expired = canceled(1, { type: 'token.expired', cancellation: { source: 'expiry' } })
  t.strictSame(fates(canceled(1), tokenEvent(1)), ['canceled', 'ended-before'])
  t.strictSame(fates(canceled(1), tokenEvent(1, { late: true }), canceled(1), expired), [
    ...['canceled', 'late', 'ended-before', 'ended-before'],
  ])
  t.strictSame(fates(tokenEvent(1), expired, tokenEvent(1)), ['active', 'expired', 'ended-before'])
  t.strictSame(fates(canceled(1), tokenEvent(2)), ['canceled', 'active'], 'another token has its own life')
  t.strictSame(fates(tokenEvent(1, { late: true })), ['late'], 'even if its cancellation was never seen')
})

t.test('the last event before an end counts; one without a token changes none; what is no event is a dead letter', async (t) => {
  const { token: _token, ...without } = tokenEvent(1)
  const inactive = tokenEvent(1, { token: { ref: refOf(1), status: 'inactive' } })
  t.strictSame(fates(tokenEvent(1), inactive, tokenEvent(1)), ['active', 'inactive', 'active'])
  t.strictSame(fates({ ...without, type: 'token.creation-failed' }), ['no-token'])
  for (const value of ['{}', 'no JSON', 7]) {
    t.match(keepState(recordOf(0, value), createEndings(), topics), { kind: 'dead-letter', reason: 'not-an-event' })
  }
})

/** The rule in terms of all events alone: which of them make a state. */
function statesByRule(events: TokenEvent[]): string[] {
  const ended = new Set<string>()
  return events.flatMap((event, offset) => {
    const ref = event.token?.ref
    if (!ref || event.late || ended.has(ref)) return []
    if (event.type === 'token.canceled' || event.type === 'token.expired') ended.add(ref)
    return [`${ref} ${event.type} ${offset}`]
  })
}

const events = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.nat(5).map((n) => tokenEvent(n)) },
    fc.nat(5).map((n) => canceled(n)),
    fc.nat(5).map((n) => canceled(n, { type: 'token.expired' })),
    fc.nat(5).map((n) => tokenEvent(n, { late: true })),
  ),
  { minLength: 1, maxLength: 30 },
)
type Turn = { owner: number; size: number; end: 'commit' | 'abort' | 'restart' | 'set-back' }
const schedule: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    owner: fc.nat(2),
    size: fc.integer({ min: 1, max: 6 }),
    end: fc.constantFrom('commit', 'commit', 'abort', 'restart', 'set-back'),
  }),
  { maxLength: 40 },
)

/** One partition of both topics; three processes that own it in turn, each with what it remembers. */
async function run(history: TokenEvent[], turns: Turn[]): Promise<string[]> {
  const written: SourceRecord[] = []
  let committed = 0
  const createOwner = () => {
    const memory = createMemory(log)
    let next = 0
    const follow = (upTo = written.length) => {
      for (; next < upTo; next++) memory.learn(written[next] as SourceRecord)
    }
    const recall = createRecall({ memory, end: async () => written.length, learntUpTo: async (_, offset) => follow(offset) })
    return { ...createKeepStates({ topics, recall }), follow }
  }
  const owners = [createOwner(), createOwner(), createOwner()]
  for (const { owner, size, end } of [...turns, ...history.map((): Turn => ({ owner: 0, size: 5, end: 'commit' }))]) {
    // Only a restart can follow offsets that were set back: a running stage stops at them.
    if (end === 'set-back') {
      committed = 0
      owners.splice(0, 3, createOwner(), createOwner(), createOwner())
    }
    const records = history.slice(committed, committed + size).map((event, index) => recordOf(committed + index, event))
    if (records.length === 0) continue
    const batch = { topic: topics.events, partition: 0, records, begin: committed, end: committed + records.length }
    const outcomes = await owners[owner]?.decide(batch)
    if (end === 'restart') owners[owner] = createOwner()
    if (end === 'abort' || end === 'restart') continue
    for (const outcome of outcomes ?? []) {
      if (outcome.kind !== 'emit') continue
      const value = Buffer.from(outcome.records[0]?.value as string)
      written.push({ ...recordOf(written.length, null), topic: topics.states, value })
    }
    committed = batch.end
    // Some are quick to read what was written, others only when they must.
    owners[size % 3]?.follow()
  }
  return written.map(({ value }) => {
    const { tokenRef, type, position } = JSON.parse(String(value)) as TokenState
    return `${tokenRef} ${type} ${position.split('/')[2]}`
  })
}

t.test('whatever is aborted, taken over, restarted or set back: the states are those of the rule, each once', async () => {
  await fc.assert(
    fc.asyncProperty(events, schedule, async (history, turns) => {
      const [found, wanted] = [await run(history, turns), statesByRule(history)]
      if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${found.join(', ')} instead of ${wanted.join(', ')}`)
    }),
    { numRuns: 1_000 },
  )
})

t.test('a record that is no state says nothing and stops nothing', async (t) => {
  const memory = createMemory(log)
  for (const record of [recordOf(0, 'x'), recordOf(1, null), { ...recordOf(2, {}), value: null }]) memory.learn(record)
  t.match(memory.of(0), { written: 0 })
  t.equal(memory.count(), 0)
})
