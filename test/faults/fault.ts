import type { ServiceName } from '../../deploy/local/pipeline.ts'
import type { Random } from '../../services/operator/simulator/random.ts'
import type { Topics } from '../../shared/contracts/topics.ts'
import type { Kafka } from '../../shared/kafka/client.ts'
import type { Brokers } from './scene/brokers.ts'
import type { Fleet, Line } from './scene/fleet.ts'
import type { Load } from './scene/load.ts'
import type { Watch } from './scene/watch.ts'
import type { KafkaProxy } from './world/kafka-proxy.ts'
import type { RedisPair } from './world/redis-pair.ts'

/** Everything that a fault may touch, while a steady load goes on. */
export type Scene = {
  brokers: Brokers
  proxy: KafkaProxy
  redis: RedisPair
  fleet: Fleet
  load: Load
  watch: Watch
  kafka: Kafka
  topics: Topics
  prefix: string
  /** What a service of this pipeline needs to start, for those that a fault starts by itself. */
  env: NodeJS.ProcessEnv
  logDir: string
  random: Random
  repeat: number
  /** Whether a failpoint is among those asked for. */
  wants: (failpoint: string) => boolean
  say: (line: string) => void
}

/** A fault that never bit is a failure: what shows that it happened, and how long each time it took until the pipeline moved again. */
export type Bite = { proof: string; recoveriesMs: number[] }

/** Faults of different lanes run at the same time; those without a lane run alone, and are measured. */
export type Fault = {
  name: string
  about: string
  lane?: ServiceName
  /** Long: tried once, however often the others are. */
  once?: boolean
  /** Also in the two-minute run inside `npm test`. */
  smoke?: boolean
  /** The longest recovery allowed, in milliseconds. */
  targetMs?: number
  run: (scene: Scene) => Promise<Bite>
}

export const stages = ['normalizer', 'deduplicator', 'merchant-sync', 'token-states'] as const
export type Stage = (typeof stages)[number]
/** Slots of every stage: two for each of its two members. */
export const slots = 4

export const isOf =
  (service: ServiceName, event: string) =>
  (line: Line): boolean =>
    line.event === event && line.member.service === service

/** Milliseconds from `since` until each slot of the stage has committed a batch again, by the stage's own clock. */
export async function untilStageMoves({ fleet }: Scene, stage: Stage, since: number, count = slots): Promise<number> {
  const moved = await Promise.all(
    Array.from({ length: count }, (_, slot) =>
      fleet.until(
        `slot ${slot} of ${stage} to move again`,
        since,
        (line) => isOf(stage, 'batch-processed')(line) && line.slot === slot,
        120_000,
      ),
    ),
  )
  return Math.max(...moved.map(({ at }) => at)) - since
}

/** The same for the gateway, by the first acknowledgement, and for all of them. */
export async function untilAllMove(scene: Scene, since: number): Promise<number> {
  const recoveries = await Promise.all([
    untilGatewayAcknowledges(scene, since),
    ...stages.map((stage) => untilStageMoves(scene, stage, since)),
  ])
  return Math.max(...recoveries)
}

export async function untilGatewayAcknowledges({ load }: Scene, since: number): Promise<number> {
  return (await load.untilAcknowledged(since)) - since
}

/** What a fault says that did not happen. */
export class NeverBitError extends Error {}

export function mustBite(happened: boolean, what: string): void {
  if (!happened) throw new NeverBitError(`it never bit: ${what}`)
}
