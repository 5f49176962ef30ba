/**
 * A replay to a side topic: a range of the raw topics goes the whole way again, normalized and de-duplicated by the code that does so live, with an
 * index of its own, in memory, that begins one window early. The events are byte for byte those of the public topic (P8), and each
 * verdict is held against the live one. Redis and the groups of the pipeline are not touched.
 */
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { createPace, type Pace } from './pace.ts'
import type { ReplayRange, ReplayRun } from './selection.ts'
import type { EventRecord } from './side-ending.ts'
import { type Replayed, replayPartition, type SideJob } from './side-partition.ts'
import { type PartitionScope, scopeOf } from './side-scope.ts'
import { createTally, type Findings } from './side-tally.ts'
import { makeSideTopic, openSideWriter, sideTopicName } from './side-topic.ts'

export type SideOptions = SideJob & { maxDifferences: number; now: () => number }
export type SideResult = {
  findings: Findings
  /** Notifications that were replayed, and how long it took, everything read and compared. */
  replayed: number
  seconds: number
  /** Aborted before the end. A run with the same id goes on. */
  stopped: boolean
  /** Events written to the side topic, and those that were there from before; none for a plan. */
  topic?: string
  written: number
  alreadyThere: number
}

/** What writes a partition's events; a plan writes nothing. */
type Writer = { write: (records: EventRecord[]) => Promise<number>; finish: () => Promise<void>; close: () => Promise<void> }
const noWriter: Writer = { write: async () => 0, finish: async () => {}, close: async () => {} }

/** Partitions at the same time: each reads up to seven ranges. */
const atATime = 3

/** The whole replay but for the writing. Throws a sentence for what cannot be replayed. */
export async function planSideReplay(
  session: KafkaSession,
  facts: TopicFacts,
  options: SideOptions,
  run: Omit<ReplayRun, 'id' | 'done'>,
): Promise<SideResult> {
  const scopes = await scopeOf(session, facts, run.selection, options.windowMs)
  return replayAll(session, scopes, options, { ...run, done: {} }, async () => noWriter)
}

/** Makes the side topic if it is not there, and writes to it what it lacks. */
export async function runSideReplay(
  session: KafkaSession,
  facts: TopicFacts,
  options: SideOptions,
  run: ReplayRun,
): Promise<SideResult> {
  const topic = sideTopicName(session, run.id)
  const scopes = await scopeOf(session, facts, run.selection, options.windowMs)
  await makeSideTopic(session, topic, Math.min(...scopes.map(({ begin }) => begin)), options.now())
  const result = await replayAll(session, scopes, options, run, ({ partition }) =>
    openSideWriter(session, facts, { topic, replayId: run.id, partition }),
  )
  return { ...result, topic }
}

async function replayAll(
  session: KafkaSession,
  scopes: PartitionScope[],
  options: SideOptions,
  run: Omit<ReplayRun, 'id'>,
  openWriter: (scope: PartitionScope) => Promise<Writer>,
): Promise<SideResult> {
  const startedAt = performance.now()
  // Ranges without a record have no scope, and are done.
  const partitions = new Set(scopes.map(({ partition }) => partition))
  for (const range of run.selection.ranges) if (!partitions.has(range.partition)) run.onProgress(range, range.to, 0)
  const { add, findings } = createTally(options.maxDifferences)
  const pace = createPace(run.rate, run.signal)
  const result = { findings, replayed: 0, stopped: false, written: 0, alreadyThere: 0 }

  async function replayOne(scope: PartitionScope): Promise<void> {
    const writer = await openWriter(scope)
    try {
      for await (const batch of inBatches(replayPartition(session, run.selection, scope, options), pace)) {
        await pace.wait(batch.length)
        if (run.signal.aborted) {
          result.stopped = true
          return
        }
        const wanted = batch.filter((one) => one.wanted)
        wanted.forEach(add)
        const events = wanted.flatMap(eventToWrite)
        const written = await writer.write(events)
        result.replayed += wanted.length
        result.written += written
        result.alreadyThere += events.length - written
        tell(run, batch, written)
      }
      await writer.finish()
      for (const range of scope.ranges) run.onProgress(range, range.to, 0)
    } finally {
      await writer.close()
    }
  }

  const waiting = [...scopes]
  const workers = Array.from({ length: atATime }, async () => {
    for (let scope = waiting.shift(); scope; scope = waiting.shift()) {
      await replayOne(scope).catch((error) => {
        waiting.length = 0
        throw error
      })
    }
  })
  for (const outcome of await Promise.allSettled(workers)) if (outcome.status === 'rejected') throw outcome.reason
  return { ...result, seconds: (performance.now() - startedAt) / 1000 }
}

async function* inBatches(all: AsyncIterable<Replayed>, { atOnce }: Pace): AsyncGenerator<Replayed[]> {
  let batch: Replayed[] = []
  for await (const one of all) {
    batch.push(one)
    if (batch.length < atOnce) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** What is in flight is left out: its turn among the others is not decided. */
const eventToWrite = ({ today, live }: Replayed): EventRecord[] =>
  today.kind === 'event' && live !== 'in-flight' ? [today.record] : []

/** A replay that goes on is told no progress twice. */
function tell({ done, onProgress }: Omit<ReplayRun, 'id'>, batch: Replayed[], written: number): void {
  const reached = new Map<ReplayRange, number>(batch.map(({ range, next }) => [range, next]))
  let count = written
  for (const [range, next] of reached) {
    if (next <= (done[`${range.topic}/${range.partition}`] ?? 0)) continue
    onProgress(range, next, count)
    count = 0
  }
}
