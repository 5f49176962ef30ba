/**
 * The only hard file: the consumer around the slots. kafkajs has no background heartbeat, no revocation callback and an eager rebalance, so:
 * handlers wait for their slot while a timer beats; a lost generation is a flag, no handler returns before its slot's transaction has
 * ended; a new generation drops all slots, and each opens anew (which fences whatever the old one still has under way).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, type EachBatchPayload, type Kafka, kafkaErrorType, outOfRange, sessionTimeoutMs } from '../kafka/client.ts'
import { createSlotAssigner, overlappingSlots, slotOf } from '../kafka/slots.ts'
import type { Running, ServiceContext } from '../runtime/service.ts'
import { type Committed, createStageMetrics } from './metrics.ts'
import { createSlot, type Slot } from './slot.ts'
import type { Stage } from './stage.ts'
import { type From, prepareStage } from './start-offsets.ts'
import { checkRetention } from './take-batch.ts'

export type StageOptions = { stage: Stage; kafka: Kafka; group: string; slots: number; from: From } & ServiceContext

const heartbeatIntervalMs = 1_500
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

  const idOf = (slot: number, count: number) => `${group}.slots-${count}.${slot}`
  const dropSlots = () => {
    const old = [...generation.slots.values()]
    dropping = Promise.all([dropping, ...old.map((slot) => slot.drop())])
  }

  /** Beats for whoever waits. Only a lost generation matters here: network trouble shows in the consumer's own heartbeat soon after. */
  async function keepAlive(): Promise<void> {
    const mine = generation
    if (!beat || handlers === 0 || mine.lost) return
    await beat().catch((error: Error) => {
      if (!lostGeneration.has(kafkaErrorType(error) ?? '')) return
      mine.lost = error
      for (const slot of mine.slots.values()) void slot.drop()
    })
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
      async stillOwner() {
        await sleep(heartbeatIntervalMs + 100)
        await keepAlive()
        return !mine.lost && mine === generation
      },
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
      await slotFor(batch.partition, mine).hand({
        topic: batch.topic,
        partition: batch.partition,
        messages: batch.messages,
        from: Number((batch as unknown as { fetchedOffset: string }).fetchedOffset),
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
    maxBytesPerPartition: 1024 * 1024,
    readUncommitted: false,
    allowAutoTopicCreation: false,
    partitionAssigners: [createSlotAssigner(slots)],
    retry: { initialRetryTime: 100, multiplier: 1.5, maxRetryTime: 1_000, retries: 8 },
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    dropSlots()
    const assigned = Object.entries(payload.memberAssignment as Record<string, number[]>)
    generation = {
      slots: new Map(),
      assigned: new Set(assigned.flatMap(([topic, list]) => list.map((partition) => `${topic}/${partition}`))),
    }
    joined = true
    log.info('assigned', { group, member: payload.memberId, partitions: generation.assigned.size })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    joined = false
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
      await dropping
      await admin.disconnect()
    },
  }
}

/** An offset out of range is named with the range; anything else is what kafkajs said. */
async function explainCrash(admin: Admin, group: string, error: Error): Promise<Error> {
  const lost = outOfRange(error)
  if (!lost) return error
  try {
    const [topic] = await admin.fetchOffsets({ groupId: group, topics: [lost.topic] })
    const committed = topic?.partitions.find(({ partition }) => partition === lost.partition)?.offset
    await checkRetention(admin, lost.topic, lost.partition, Number(committed))
    return error
  } catch (explained) {
    return explained as Error
  }
}
