/**
 * One slot in the hands of one owner (this process, this group generation): what its partitions bring is gathered, decided, and committed in one
 * transaction after another. No record is released to the consumer before its transaction has ended one way or the other.
 *
 * Nothing is decided while the last batch commits, nor does a slot wait for more records under load. Measured on two cores: a stage drains as fast in
 * one slot as in two or four, whose work overlaps by itself (in twelve, a tenth slower); a least time of 40 or 80 ms between two transactions changed no
 * latency at 1,000/s, since they take that long there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, type Kafka, kafkaErrorType } from '../kafka/client.ts'
import { failpoint } from '../runtime/failpoint.ts'
import type { Log } from '../runtime/log.ts'
import { type Committed, summarize } from './metrics.ts'
import { FencedError, StopError } from './outcome.ts'
import { processBatch } from './process-batch.ts'
import type { Stage } from './stage.ts'
import { checkContinuity, type Fetched, type Pending, type Taken, takeBatch } from './take-batch.ts'
import { isFenced, openTransactions, type Transactions } from './transaction.ts'

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
export type Slot = {
  /** Resolves when these records are committed, or the slot was dropped. */
  hand: (fetched: Fetched) => Promise<void>
  /** Ends after the transaction under way; what is left unresolved comes again to the next owner. */
  drop: () => Promise<void>
}

type Owner = { transactions: Transactions; begins: Map<string, number> }

const maxPauseMs = 2_000
const fencedWindowMs = 30_000
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
    await failpoint('slot.opening')
    const transactions = await openTransactions(kafka, group, deps.transactionalId, deps.alsoFence)
    try {
      await failpoint('slot.fenced')
      const begins = new Map<string, number>()
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group, topics: stage.sources })) {
        for (const { partition, offset } of partitions) begins.set(keyOf({ topic, partition }), Number(offset))
      }
      await failpoint('slot.opened')
      return { transactions, begins }
    } catch (error) {
      await transactions.close()
      throw error
    }
  }

  async function once({ transactions, begins }: Owner): Promise<void> {
    const taken = await takeAll(begins)
    if (taken.length === 0) return
    await failpoint('slot.taken')
    const startedAt = performance.now()
    const failedAt = new Date().toISOString()
    const processed = await Promise.all(
      taken.map(({ batch }) => processBatch(stage, { ...batch, signal: dropped.signal }, failedAt)),
    )
    await failpoint('slot.decided')
    if (dropped.signal.aborted) return
    const decidedAt = performance.now()
    const outputs = processed.flatMap((one) => one.outputs)
    const offsets = taken.map(({ batch }) => ({ topic: batch.topic, partition: batch.partition, offset: batch.end }))
    try {
      await transactions.commit(outputs, offsets)
    } catch (error) {
      // Committed or not: unknown. This producer is never used again; opening anew settles it and reads what is committed.
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
      ...summarize(taken, processed),
      stepMs: decidedAt - startedAt,
      transactionMs: performance.now() - decidedAt,
    })
  }

  /** The next batch of every partition that waits; what is committed already is released. */
  async function takeAll(begins: Map<string, number>): Promise<Taken[]> {
    const taken: Taken[] = []
    for (const pending of [...waiting.values()]) {
      const where = keyOf(pending.fetched)
      const begin = begins.get(where) ?? -1
      await checkContinuity(admin, pending.fetched, begin, reached.get(where))
      const batch = takeBatch(pending, begin, stage.step)
      if (batch) {
        taken.push(batch)
        continue
      }
      const last = pending.fetched.messages.at(-1)
      if (last) pending.fetched.resolve(last.offset)
      finish(pending)
    }
    return taken
  }

  function finish(pending: Pending): void {
    waiting.delete(keyOf(pending.fetched))
    pending.done()
  }

  async function recover(error: Error): Promise<void> {
    if (dropped.signal.aborted) return
    const code = kafkaErrorType(error)
    if (error instanceof StopError) return giveUp(error)
    if (error instanceof FencedError || isFenced(error)) {
      log.warn('fenced', { slot, code, group, reason: error.message })
      await owner?.transactions.close().catch(() => {})
      owner = undefined
      if (!(await deps.stillOwner())) return void dropped.abort()
      // Still ours, so the coordinator may have timed the transaction out. Twice in a row is no accident.
      if (Date.now() - fencedAt < fencedWindowMs) {
        const shared = `Something else uses the transactional id ${deps.transactionalId}: is a second pipeline running with the same TOPIC_PREFIX?`
        return giveUp(new StopError(error instanceof FencedError ? error.message : shared))
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
      await owner?.transactions.close().catch(() => {})
    },
  }
}
