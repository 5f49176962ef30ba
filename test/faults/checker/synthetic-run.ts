/** A run made up whole: what the load did and what a pipeline that keeps its promises leaves behind. Tests plant faults in it. */
import { createHash } from 'node:crypto'
import { type Attempt, at, type EventRecord, type NormalizedRecord, type Place, type Run, type Views } from './run.ts'
import { checkedTopics, rawProviders, topicNames } from './topic-names.ts'

const topics = topicNames('')
const partitions = 2
export const startedAt = 1_000_000
const sha = (text: string) => createHash('sha256').update(text).digest('hex')
const hex = (text: string) => sha(text).slice(0, 32)

type Change = Pick<EventRecord, 'type' | 'provider' | 'merchantId' | 'authClientId' | 'tokenRef'> & {
  number: number
  partition: number
  odd: boolean
}
/** A notification that reached Kafka; `outcomes` of its attempts, in order. */
type Sent = { change: Change; copy: Attempt['copy']; spelling: number; outcomes: Attempt['outcome'][] }

/** Registry records by offset. Those before the run, one in the middle of it, and one that is no entry. */
const registry = [
  { merchantId: 'M-0', subscriptions: [all('all'), { ...all('created'), types: ['token.created'] }] },
  { merchantId: 'M-1', authClientIds: ['C-1'], subscriptions: [{ ...all('ours'), providers: ['alipayplus'] }] },
  { merchantId: 'M-2', subscriptions: [{ ...all('off'), enabled: false }] },
  { merchantId: 'M-0', subscriptions: [all('all')] },
  { merchantId: 'M-2', subscriptions: 'none' },
]
function all(id: string) {
  return { id, enabled: true }
}
const versionAtStart = 2
const changedAfter = 60

/** The same registry in the words of this test. */
function wantedBy(version: number, { type, provider, merchantId, authClientId }: Change): string[] {
  const wanted: string[] = []
  if (merchantId === 'M-0') wanted.push('M-0.all')
  if (merchantId === 'M-0' && type === 'token.created' && version < 3) wanted.push('M-0.created')
  if (provider === 'alipayplus' && (merchantId === 'M-1' || authClientId === 'C-1')) wanted.push('M-1.ours')
  return wanted
}

function sendAll(): Sent[] {
  const sent: Sent[] = []
  let number = 0
  const send = (change: Change, copies: [Attempt['copy'], number, Attempt['outcome'][]][]) => {
    for (const [copy, spelling, outcomes] of copies) sent.push({ change, copy, spelling, outcomes })
  }
  for (let story = 0; story < 24; story++) {
    const provider = rawProviders[story % 2] as string
    const common = { provider, partition: (story >> 1) % partitions, merchantId: `M-${story % 4}`, odd: false }
    const who = { ...common, ...(story % 3 === 0 ? { authClientId: 'C-1' } : {}) }
    const token = { ...who, tokenRef: hex(`token ${story}`) }
    const made: Change = { ...token, number: number++, type: 'token.created' }
    const ended: Change = { ...token, number: number++, type: story % 5 === 4 ? 'token.expired' : 'token.canceled' }
    const late = story % 5 === 3
    if (late) send(ended, [['first', 0, ['acknowledged']]])
    send(made, [
      ['first', 0, ['acknowledged', 'unanswered']],
      ['identical', 0, ['acknowledged']],
      ['re-signed', 1, [story % 2 ? 'unanswered' : 'acknowledged']],
    ])
    if (story % 5 === 0) send(made, [['conflict', 2, ['call-again', 'acknowledged']]])
    if (!late) send(ended, [['first', 0, ['acknowledged']]])
    send({ ...who, number: number++, type: 'authorization-code.created' }, [['concurrent', 0, ['acknowledged']]])
    if (story % 6 === 1)
      send({ ...who, number: number++, type: 'unknown-type', odd: true }, [
        ['first', 0, ['acknowledged']],
        ['identical', 0, ['acknowledged']],
      ])
  }
  return sent
}

/** Makes the run anew each time, so that a test may change it. */
export function syntheticRun(): Run {
  const log = createLog()
  const run: Run = { ...log.views, ...emptyLists() }
  run.registry = registry.map((entry, index) => ({
    ...log.append(topics.merchants, 0),
    timestamp: index <= versionAtStart ? startedAt - 1 : startedAt + changedAfter,
    key: entry.merchantId,
    value: JSON.stringify(entry),
  }))
  const holders = new Map<number, { record: NormalizedRecord; conflict: boolean }>()
  const endedTokens = new Set<string>()
  sendAll().forEach((sent, index) => {
    const { change, copy, spelling, outcomes } = sent
    const { partition, odd } = change
    const sha256 = sha(`${change.number} ${spelling}`)
    for (const outcome of outcomes)
      run.attempts.push({ n: run.attempts.length + 1, change: change.number, copy, odd, sha256, outcome })
    const raw = { ...log.append(topics.raw[change.provider as 'bluepay'], partition), timestamp: startedAt + index, sha256 }
    run.raw.push(raw)
    const origin = at(raw)
    if (odd) {
      run.deadLetters.push({ ...log.append(topics.deadLetters.normalizer, partition), origin, stage: 'normalizer' })
      return
    }
    const eventId = hex(`event ${change.number}`)
    const normalized = { ...log.append(topics.normalized, partition), origin, eventId, content: `content ${sha256}` }
    run.normalized.push(normalized)
    const holder = holders.get(change.number)
    if (holder) {
      const conflict = holder.conflict !== (copy === 'conflict')
      const [position, held] = [at(normalized), at(holder.record)]
      const place = log.append(topics.duplicates, partition)
      run.duplicates.push({ ...place, origin, saidOrigin: origin, eventId, position, holder: held, conflict })
      return
    }
    holders.set(change.number, { record: normalized, conflict: copy === 'conflict' })
    const { number: _number, partition: _partition, odd: _odd, ...facts } = change
    const late = facts.type === 'token.created' && endedTokens.has(facts.tokenRef ?? '')
    if (facts.type === 'token.canceled' || facts.type === 'token.expired') endedTokens.add(facts.tokenRef ?? '')
    const { content } = normalized
    run.events.push({ ...log.append(topics.events, partition), origin, eventId, content, late, ...facts })
    const registryOffset = index < changedAfter ? versionAtStart : registry.length - 1
    for (const subscription of wantedBy(registryOffset, change)) {
      const syncId = `${eventId}.${subscription}`
      run.syncs.push({
        ...log.append(topics.syncs, partition),
        origin,
        syncId,
        eventId,
        registryOffset,
        late,
        content,
        replayed: false,
      })
    }
  })
  log.close()
  return run
}

const emptyLists = () => ({
  attempts: [],
  raw: [],
  normalized: [],
  events: [],
  duplicates: [],
  deadLetters: [],
  syncs: [],
  lostSyncs: [],
  registry: [],
  unreadable: [],
  notConsumed: [],
})

/** Gives places, with an aborted record before every fifth one and a marker after the last. */
function createLog() {
  const views: Pick<Run, 'committed' | 'uncommitted'> = { committed: new Map(), uncommitted: new Map() }
  for (const topic of checkedTopics(''))
    for (let partition = 0; partition < partitions; partition++)
      for (const all of [views.committed, views.uncommitted]) all.set(`${topic}/${partition}`, { offsets: [], end: 0 })
  const offsetsOf = (all: Views, { topic, partition }: Place) => all.get(`${topic}/${partition}`)?.offsets ?? []
  return {
    views,
    append(topic: string, partition: number): Place {
      const log = offsetsOf(views.uncommitted, { topic, partition, offset: 0 })
      const transactional = !topic.includes('.raw.') && topic !== topics.merchants
      if (transactional && log.length % 5 === 2) log.push(log.length)
      const place = { topic, partition, offset: log.length }
      log.push(place.offset)
      offsetsOf(views.committed, place).push(place.offset)
      return place
    },
    close() {
      for (const all of [views.committed, views.uncommitted])
        for (const [partition, view] of all) view.end = (views.uncommitted.get(partition)?.offsets.length ?? 0) + 1
    },
  }
}
