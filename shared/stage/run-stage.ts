/**
 * The only hard file: the consumer around the slots. kafkajs has no background heartbeat, no revocation callback and an eager rebalance, so:
 * handlers wait for their slot while a timer beats; a lost generation is a flag, no handler returns before its slot's transaction has
 * ended; a new generation drops all slots, and each opens anew (which fences whatever the old one still has under way).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type EachBatchPayload, fetchedFrom, type Kafka, kafkaErrorType, sessionTimeoutMs } from '../kafka/client.ts'
import { createSlotAssigner, overlappingSlots, slotOf } from '../kafka/slots.ts'
import { failpoint } from '../runtime/failpoint.ts'
import type { Running, ServiceContext } from '../runtime/service.ts'
import { type Committed, createStageMetrics } from './metrics.ts'
import { createSlot, type Slot } from './slot.ts'
import type { Stage } from './stage.ts'
import { type From, prepareStage } from './start-offsets.ts'
import { explainCrash } from './take-batch.ts'

export type StageOptions = { stage: Stage; kafka: Kafka; group: string; slots: number; from: From } & ServiceContext

const heartbeatIntervalMs = 1_500
/** A consumer that kafkajs restarts for longer is as good as dead: the process ends, and its supervisor starts a new one. */
const backWithinMs = 120_000
/** Long enough for the slowest member to end its transaction. */
const rebalanceTimeoutMs = 10_000
const lostGeneration = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'NOT_COORDINATOR_FOR_GROUP'])

type Generation = { slots: Map<number, Slot>; assigned: Set<string>; lost?: Error }
type Heartbeat = () => Promise<void>

export async function runStage(options: StageOptions): Promise<Running> {
  const { stage, kafka, group, slots, log, fail } = options
  const admin = kafka.admin()
  const partitions = await prepareStage(admin, options)

  const metrics = createStageMetrics(stage.name, options.metrics)
  const reached = new Map<string, number>()
  let generation: Generation = { slots: new Map(), assigned: new Set() }
  let dropping: Promise<unknown> = Promise.resolve()
  let stopping = false
  let joined = false
  let beat: Heartbeat | undefined
  let handlers = 0
  let outside: NodeJS.Timeout | undefined

  const idOf = (slot: number, count: number) => `${group}.slots-${count}.${slot}`
  const dropSlots = () => {
    const old = [...generation.slots.values()]
    dropping = Promise.all([dropping, ...old.map((slot) => slot.drop())])
  }

  /** Beats for whoever waits. Only a lost generation matters here: network trouble shows in the consumer's own heartbeat soon after. */
  async function keepAlive(): Promise<'alive' | 'lost' | 'unknown'> {
    const mine = generation
    if (mine.lost) return 'lost'
    if (!beat || handlers === 0) return 'unknown'
    try {
      await beat()
      return 'alive'
    } catch (error) {
      if (!lostGeneration.has(kafkaErrorType(error) ?? '')) return 'unknown'
      mine.lost = error as Error
      for (const slot of mine.slots.values()) void slot.drop()
      return 'lost'
    }
  }

  /** Only the coordinator's own word counts: opening anew while cut off from it would fence the real owner. */
  async function stillOwner(mine: Generation): Promise<boolean> {
    for (let answer = 'unknown'; answer === 'unknown'; ) {
      await sleep(heartbeatIntervalMs + 100)
      if (stopping || mine !== generation) return false
      answer = await keepAlive()
    }
    return !mine.lost && mine === generation
  }
  const timer = setInterval(() => void keepAlive(), heartbeatIntervalMs / 3)

  function slotFor(partition: number, mine: Generation): Slot {
    const slot = slotOf(partition, slots)
    const existing = mine.slots.get(slot)
    if (existing) return existing
    const created = createSlot({
      stage,
      kafka,
      admin,
      log,
      group,
      slot,
      reached,
      transactionalId: idOf(slot, slots),
      alsoFence: overlappingSlots(slot, slots, partitions).map((other) => idOf(other.slot, other.slots)),
      stop: fail,
      committed: (entry) => report(entry),
      stillOwner: () => stillOwner(mine),
    })
    mine.slots.set(slot, created)
    return created
  }

  async function eachBatch({ batch, heartbeat, resolveOffset }: EachBatchPayload): Promise<void> {
    const mine = generation
    if (stopping || !mine.assigned.has(`${batch.topic}/${batch.partition}`)) return
    if (mine.lost) throw mine.lost
    beat = heartbeat
    handlers++
    try {
      await failpoint('stage.handed')
      await slotFor(batch.partition, mine).hand({
        topic: batch.topic,
        partition: batch.partition,
        messages: batch.messages,
        from: fetchedFrom(batch),
        end: Number(batch.lastOffset()) + 1,
        lag: Number(batch.highWatermark) - Number(batch.lastOffset()) - 1,
        resolve: (offset) => {
          if (mine === generation) resolveOffset(offset)
        },
      })
    } finally {
      handlers--
    }
    if (mine.lost && mine === generation) throw mine.lost
  }

  function report({ slot, counts, records, stepMs, transactionMs, lag }: Committed): void {
    metrics.committed(slot, counts, transactionMs / 1000, lag)
    log.info('batch-processed', {
      slot,
      records,
      ...counts,
      stepMs: Math.round(stepMs),
      transactionMs: Math.round(transactionMs),
      lag,
    })
  }

  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: heartbeatIntervalMs,
    // Long polls end at once when a record comes; this only bounds how long stopping and rejoining wait.
    maxWaitTimeInMs: 250,
    // What of it a step writes fits into one batch (1 MiB). With 1 MiB a stage held 20 MiB more and was as fast; with 256 KiB it drained a third less.
    maxBytesPerPartition: 768 * 1024,
    readUncommitted: false,
    allowAutoTopicCreation: false,
    partitionAssigners: [createSlotAssigner(slots)],
    metadataMaxAge: 5_000,
    retry: { initialRetryTime: 100, multiplier: 1.5, maxRetryTime: 1_000, retries: 8, restartOnFailure: async () => !stopping },
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    dropSlots()
    const assigned = Object.entries(payload.memberAssignment as Record<string, number[]>)
    generation = {
      slots: new Map(),
      assigned: new Set(assigned.flatMap(([topic, list]) => list.map((partition) => `${topic}/${partition}`))),
    }
    joined = true
    clearTimeout(outside)
    log.info('assigned', { group, member: payload.memberId, partitions: generation.assigned.size })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    joined = false
    clearTimeout(outside)
    outside = setTimeout(
      () => fail(new Error(`Not back in group ${group} ${backWithinMs / 1000} s after: ${payload.error.message}`)),
      backWithinMs,
    )
    if (!payload.restart) void explainCrash(admin, group, payload.error).then(fail)
  })
  await consumer.connect()
  await consumer.subscribe({ topics: stage.sources, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    // All partitions of a fetch are handed to their slots at once.
    partitionsConsumedConcurrently: partitions * stage.sources.length,
    eachBatch,
  })

  return {
    ready: () => joined && !stopping,
    async stop() {
      stopping = true
      dropSlots()
      await consumer.disconnect()
      clearInterval(timer)
      clearTimeout(outside)
      await dropping
      await admin.disconnect()
    },
  }
}
