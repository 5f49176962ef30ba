/**
 * One slot in the hands of one owner (this process, this group generation): what its partitions bring is gathered, decided, and committed in one
 * transaction after another. No record is released to the consumer before its transaction has ended one way or the other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, type Kafka, type KafkaMessage, kafkaErrorType } from '../kafka/client.ts'
import { toSourceRecord } from '../kafka/record.ts'
import type { Log } from '../runtime/log.ts'
import { StopError } from './outcome.ts'
import { type Processed, processBatch } from './process-batch.ts'
import type { Batch, Stage } from './stage.ts'
import { openTransactions, type SourceOffset, type Transactions } from './transaction.ts'

/** What one fetch brought of one partition. */
export type Fetched = {
  topic: string
  partition: number
  messages: KafkaMessage[]
  /** Where the fetch began, and one past its last record, control records included. */
  from: number
  end: number
  lag: number
  /** Moves the consumer's position beyond this offset. */
  resolve: (offset: string) => void
}

export type SlotDeps = {
  stage: Stage
  kafka: Kafka
  admin: Admin
  log: Log
  group: string
  slot: number
  transactionalId: string
  /** Ids of other slot counts that share a partition. */
  alsoFence: string[]
  /** Asks the group coordinator; false when this member has lost its generation. */
  stillOwner: () => Promise<boolean>
  /** How far this process has committed each partition, over all generations. */
  reached: Map<string, number>
  stop: (error: Error) => void
  committed: (entry: Committed) => void
}
export type Committed = {
  slot: number
  counts: Record<string, number>
  records: number
  stepMs: number
  transactionMs: number
  lag: number
}

export type Slot = {
  /** Resolves when these records are committed, or the slot was dropped. */
  hand: (fetched: Fetched) => Promise<void>
  /** Ends after the transaction under way; what is left unresolved comes again to the next owner. */
  drop: () => Promise<void>
}

type Pending = { fetched: Fetched; next: number; done: () => void }
type Owner = { transactions: Transactions; begins: Map<string, number> }
type Taken = { pending: Pending; batch: Batch; last: KafkaMessage }

/** Enough to pay for a transaction (10 ms of CPU, however small), small enough for one batch per partition under the broker's 1 MiB. */
const maxRecords = 500
const maxPauseMs = 2_000
const fencedWindowMs = 30_000
const fencedTypes = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE'])
const keyOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`

export function createSlot(deps: SlotDeps): Slot {
  const { stage, kafka, admin, log, group, slot, reached } = deps
  const waiting = new Map<string, Pending>()
  const dropped = new AbortController()
  let owner: Owner | undefined
  let running: Promise<void> | undefined
  let failures = 0
  let fencedAt = 0

  async function run(): Promise<void> {
    // All partitions of one fetch are handed over in one turn of the event loop; after it, they share a transaction.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.size > 0 && !dropped.signal.aborted) {
      try {
        owner ??= await open()
        await once(owner)
        failures = 0
      } catch (error) {
        await recover(error as Error)
      }
    }
    running = undefined
    if (dropped.signal.aborted) for (const pending of waiting.values()) pending.done()
  }

  /** Fence first, then read what is committed: nothing of an older owner can be committed in between. */
  async function open(): Promise<Owner> {
    const transactions = await openTransactions(kafka, group, deps.transactionalId, deps.alsoFence)
    try {
      const begins = new Map<string, number>()
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group, topics: stage.sources })) {
        for (const { partition, offset } of partitions) begins.set(keyOf({ topic, partition }), Number(offset))
      }
      return { transactions, begins }
    } catch (error) {
      await transactions.close()
      throw error
    }
  }

  async function once({ transactions, begins }: Owner): Promise<void> {
    const taken: Taken[] = []
    for (const pending of [...waiting.values()]) {
      const batch = await take(pending, begins)
      if (batch) taken.push(batch)
    }
    if (taken.length === 0) return
    const startedAt = performance.now()
    const failedAt = new Date().toISOString()
    const processed = await Promise.all(taken.map(({ batch }) => processBatch(stage, batch, failedAt)))
    if (dropped.signal.aborted) return
    const decidedAt = performance.now()
    const offsets: SourceOffset[] = taken.map(({ batch }) => ({
      topic: batch.topic,
      partition: batch.partition,
      offset: batch.end,
    }))
    try {
      await transactions.commit(
        processed.flatMap(({ outputs }) => outputs),
        offsets,
      )
    } catch (error) {
      // Committed or not: unknown. This producer is never used again; a new owner reads what is committed and goes on from there.
      owner = undefined
      await transactions.close().catch(() => {})
      throw error
    }
    for (const { pending, batch, last } of taken) {
      begins.set(keyOf(batch), batch.end)
      reached.set(keyOf(batch), batch.end)
      pending.next += batch.records.length
      pending.fetched.resolve(last.offset)
      if (pending.next === pending.fetched.messages.length) finish(pending)
    }
    deps.committed({
      slot,
      ...summary(taken, processed),
      stepMs: decidedAt - startedAt,
      transactionMs: performance.now() - decidedAt,
    })
  }

  /** The next records of one partition that are not committed yet, or undefined if there are none left. */
  async function take(pending: Pending, begins: Map<string, number>): Promise<Taken | undefined> {
    const { fetched } = pending
    const { topic, partition, messages } = fetched
    const begin = begins.get(keyOf(fetched)) ?? -1
    await checkContinuity(fetched, begin)
    while (pending.next < messages.length && Number(messages[pending.next]?.offset) < begin) pending.next++
    const upTo = messages.slice(pending.next, pending.next + maxRecords)
    const candidates = upTo.map((message) => toSourceRecord(topic, partition, message))
    const records = candidates.slice(0, stage.step.take?.(candidates))
    const last = upTo[records.length - 1]
    if (!last) {
      const final = messages.at(-1)
      if (final) fetched.resolve(final.offset)
      finish(pending)
      return undefined
    }
    const isLast = pending.next + records.length === messages.length
    const end = isLast ? Math.max(fetched.end, Number(last.offset) + 1) : Number(last.offset) + 1
    return { pending, last, batch: { topic, partition, records, begin, end } }
  }

  /** Nothing between the committed offset and the first fetched record may be missing: kafkajs jumps in silence when it is. */
  async function checkContinuity(fetched: Fetched, begin: number): Promise<void> {
    const where = keyOf(fetched)
    if (begin < 0)
      throw new StopError(
        `Group ${group} has lost its committed offset for ${where}. Start once with FROM=earliest or FROM=latest`,
      )
    const before = reached.get(where)
    if (before !== undefined && begin < before) {
      throw new StopError(
        `The committed offset of ${where} went back from ${before} to ${begin}: offsets were set by hand or lost. Restart to go on from ${begin}`,
      )
    }
    if (fetched.from <= begin) return
    const low = Number(
      (await admin.fetchTopicOffsets(fetched.topic)).find(({ partition }) => partition === fetched.partition)?.low,
    )
    if (low <= begin) return
    throw new StopError(
      `${where}: offsets ${begin} to ${low - 1} left retention before they were processed. Nothing was skipped: decide what to do about them, then set the group's offset to ${low}`,
    )
  }

  function finish(pending: Pending): void {
    waiting.delete(keyOf(pending.fetched))
    pending.done()
  }

  async function recover(error: Error): Promise<void> {
    if (dropped.signal.aborted) return
    const code = kafkaErrorType(error)
    if (error instanceof StopError) return giveUp(error)
    if (code && fencedTypes.has(code)) {
      log.warn('fenced', { slot, code, group })
      if (!(await deps.stillOwner())) return void dropped.abort()
      // We still own the slot, so the coordinator may have timed the transaction out. Twice in a row means two owners fence each other for ever.
      if (Date.now() - fencedAt < fencedWindowMs) {
        return giveUp(
          new StopError(
            `Something else uses the transactional id ${deps.transactionalId}: is a second pipeline running with the same TOPIC_PREFIX?`,
          ),
        )
      }
      fencedAt = Date.now()
      return
    }
    log.warn('batch-retry', { slot, error, code, attempt: ++failures })
    await sleep(Math.min(50 * 2 ** failures, maxPauseMs), undefined, { signal: dropped.signal }).catch(() => {})
  }

  function giveUp(error: StopError): void {
    dropped.abort()
    deps.stop(error)
  }

  return {
    hand(fetched) {
      if (dropped.signal.aborted) return Promise.resolve()
      return new Promise((done) => {
        waiting.set(keyOf(fetched), { fetched, next: 0, done })
        running ??= run()
      })
    },
    async drop() {
      dropped.abort()
      await running
      await owner?.transactions.close()
    },
  }
}

function summary(taken: Taken[], processed: Processed[]): Pick<Committed, 'counts' | 'records' | 'lag'> {
  const counts: Record<string, number> = {}
  for (const one of processed) for (const [what, by] of Object.entries(one.counts)) counts[what] = (counts[what] ?? 0) + by
  return {
    counts,
    records: taken.reduce((sum, { batch }) => sum + batch.records.length, 0),
    lag: taken.reduce((sum, { pending, batch }) => sum + pending.fetched.lag + pending.fetched.end - batch.end, 0),
  }
}
