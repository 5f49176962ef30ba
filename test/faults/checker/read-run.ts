import { readHistory, readPositions } from './history.ts'
import { type Dumped, dumpNotConsumed, dumpPlaces, dumpRecords } from './kcat.ts'
import { createOpenRaw, type OpenRaw, rawKeyFile } from './open-raw.ts'
import { headerOf, placeOf, readDeadLetter, readDuplicate, readEvent, readNormalized, readSync } from './records.ts'
import type { Place, RawRecord, Run, View, Views } from './run.ts'
import { checkedTopics, consumerGroups, rawProviders, type TopicNames, topicNames } from './topic-names.ts'

export type RunSource = {
  /** host:port, separated by commas. */
  brokers: string
  /** Of the topics and groups; "" in production. */
  prefix?: string
  /** `client.jsonl`. */
  history: string
  /** Folder with `raw.private.json`. */
  keys: string
  /** JSON lines {"topic","partition","offset"}: all that another read_committed client read of `checkedTopics`. */
  positions?: string
}

/** Reads everything once. The pipeline must be at rest: a record that moves meanwhile looks lost. */
export async function readRun({ brokers, prefix = '', history, keys, positions }: RunSource): Promise<Run> {
  const run = emptyRun()
  run.attempts = await readHistory(history)
  if (positions !== undefined) run.otherClient = await readPositions(positions)
  const takers = takersFor(run, topicNames(prefix), await createOpenRaw(keys))
  for (const topic of checkedTopics(prefix)) await readTopic(run, { brokers, topic }, takers.get(topic) as Take)
  if (run.raw.length > 0 && run.raw.every(({ sha256 }) => sha256 === undefined))
    throw new Error(`None of ${run.raw.length} raw records opens with ${keys}/${rawKeyFile}: these keys are not of this run`)
  for (const { group, topics } of consumerGroups(prefix)) {
    for (const topic of topics) {
      const partitions = [...run.committed.keys()].filter((key) => key.startsWith(`${topic}/`)).length
      const read = { brokers, topic, isolation: 'read_committed', group, partitions } as const
      await dumpNotConsumed(read, (partition, offset) => run.notConsumed.push({ group, topic, partition, offset }))
    }
  }
  return run
}

type Take = (record: Dumped) => void | Promise<void>

const emptyRun = (): Run => ({
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
  committed: new Map(),
  uncommitted: new Map(),
  notConsumed: [],
})

/** What a read_committed reader gets, and beside it where everything else in the log lies. */
async function readTopic(run: Run, { brokers, topic }: { brokers: string; topic: string }, take: Take): Promise<void> {
  const see = (views: Views, partition: number, offset: number) => viewOf(views, topic, partition).offsets.push(offset)
  const [committedEnds, uncommittedEnds] = await Promise.all([
    dumpRecords({ brokers, topic, isolation: 'read_committed' }, async (records) => {
      for (const { partition, offset } of records) see(run.committed, partition, offset)
      await Promise.all(records.map(take))
    }),
    dumpPlaces({ brokers, topic, isolation: 'read_uncommitted' }, (partition, offset) => see(run.uncommitted, partition, offset)),
  ])
  for (const [partition, end] of committedEnds) viewOf(run.committed, topic, partition).end = end
  for (const [partition, end] of uncommittedEnds) viewOf(run.uncommitted, topic, partition).end = end
}

function viewOf(views: Views, topic: string, partition: number): View {
  const key = `${topic}/${partition}`
  const view = views.get(key) ?? { offsets: [], end: 0 }
  views.set(key, view)
  return view
}

function takersFor(run: Run, topics: TopicNames, openRaw: OpenRaw): Map<string, Take> {
  const into =
    <T extends Place>(list: T[], read: (record: Dumped) => T | undefined): Take =>
    (record) => {
      const taken = read(record)
      if (taken) list.push(taken)
      else run.unreadable.push(placeOf(record))
    }
  const raw = rawProviders.map((provider): [string, Take] => [
    topics.raw[provider],
    async (record) => {
      const taken: RawRecord = { ...placeOf(record), timestamp: record.ts }
      // In its place at once: records open in any order.
      run.raw.push(taken)
      if (headerOf(record, 'provider') === provider)
        taken.sha256 = await openRaw(provider, headerOf(record, 'account'), record.payload ?? '')
    },
  ])
  return new Map<string, Take>([
    ...raw,
    [topics.normalized, into(run.normalized, readNormalized)],
    [topics.events, into(run.events, readEvent)],
    [topics.duplicates, into(run.duplicates, readDuplicate)],
    [topics.syncs, into(run.syncs, readSync)],
    [
      topics.merchants,
      into(run.registry, (record) => ({ ...placeOf(record), timestamp: record.ts, key: record.key, value: record.payload })),
    ],
    [topics.deadLetters.normalizer, into(run.deadLetters, (record) => readDeadLetter(record, 'normalizer'))],
    [topics.deadLetters.deduplicator, into(run.deadLetters, (record) => readDeadLetter(record, 'deduplicator'))],
    [
      topics.deadLetters['merchant-sync'],
      into(run.lostSyncs, (record) => ({ ...placeOf(record), origin: headerOf(record, 'origin') })),
    ],
  ])
}
