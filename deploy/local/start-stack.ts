/** The laptop's Kafka and Redis together: on kept data, on the same ports as last time where they are free. */
import { mkdirSync, rmSync, statfsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { keepPorts } from './free-ports.ts'
import { type Jvm, startKafka } from './kafka.ts'
import { explainDeath, type OwnedProcess } from './owned-process.ts'
import { startRedis } from './redis.ts'
import { lockFolder } from './stack-lock.ts'

export const projectRoot = resolve(import.meta.dirname, '../..')
/** Programs that were fetched; every stack of this clone uses them. */
const programsDir = join(projectRoot, '.local')
/** Keys, data and logs of `npm start` and `npm run stack`. */
export const localDir = resolve(process.env.LOCAL_DIR ?? programsDir)
/** Partitions of the pipeline's topics on the laptop: as in production. */
export const localPartitions = 12

export type Stack = { brokers: string; redisUrl: string; stop: () => Promise<void> }

export type StackOptions = {
  /** Holds `data/` (Kafka, Redis, ports, lock) and `logs/`. */
  dir: string
  /** Begin with empty data. Never touches what `external` names: with any of it, this is refused. */
  reset?: boolean
  /** A line of progress. */
  log: (line: string) => void
  /** Used instead of starting one. */
  external?: { brokers?: string | undefined; redisUrl?: string | undefined }
  /** How the broker's JVM runs: `laptop` starts quickly and stays small, `server` as in production. */
  jvm?: Jvm
  /** A part that was started has ended by itself; one sentence says which and why. */
  onDeath?: (reason: string) => void
}

const neededMb = 500

/** Starts what is not external and waits until it serves. Throws one clear sentence, and then leaves nothing running. */
export async function startStack({
  dir,
  reset = false,
  log,
  external = {},
  jvm = 'laptop',
  onDeath,
}: StackOptions): Promise<Stack> {
  const { brokers, redisUrl } = external
  if (reset && (brokers || redisUrl))
    throw new Error('--reset is for local data only: unset KAFKA_BROKERS and REDIS_URL to use it.')
  if (brokers && redisUrl) return { brokers, redisUrl, stop: async () => {} }

  const [dataDir, logDir] = [join(dir, 'data'), join(dir, 'logs')]
  const unlock = lockFolder(dataDir)
  const stops: (() => Promise<void>)[] = []
  let stopping = false
  const stop = async () => {
    stopping = true
    await Promise.all(stops.map((stopPart) => stopPart()))
    unlock()
  }
  const watch = (owned: OwnedProcess) =>
    owned.exited.then(({ code, signal }) => {
      if (!stopping) onDeath?.(explainDeath(owned, `ended unexpectedly with ${signal ?? `exit code ${code}`}`))
    })
  try {
    checkDisk(dir)
    if (reset) for (const part of ['kafka', 'redis']) rmSync(join(dataDir, part), { recursive: true, force: true })
    mkdirSync(logDir, { recursive: true })
    const ports = await keepPorts(join(dataDir, 'ports.json'), ['kafka', 'controller', 'redis'])
    const kafka = async () => {
      const nodes = [{ id: 1, port: ports.kafka, controllerPort: ports.controller }]
      const programDir = join(programsDir, 'kafka')
      const started = await startKafka({ programDir, dataDir: join(dataDir, 'kafka'), logDir, nodes, jvm, log })
      stops.push(started.stop)
      for (const node of started.nodes.values()) void watch(node)
      return started.brokers
    }
    const redis = async () => {
      const started = await startRedis({ dataDir: join(dataDir, 'redis'), logDir, port: ports.redis, log })
      stops.push(started.stop)
      void watch(started.process)
      return started.redisUrl
    }
    const [ownBrokers, ownRedisUrl] = await allOrFirstError([brokers ?? kafka(), redisUrl ?? redis()])
    return { brokers: ownBrokers, redisUrl: ownRedisUrl, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Like Promise.all, but waits for all before it throws: what has started by then can be stopped. */
async function allOrFirstError<A, B>(parts: [A | Promise<A>, B | Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(parts)
  return Promise.all(parts)
}

/** A broker whose disk fills up stops at once; better said before the start. */
function checkDisk(dir: string): void {
  const { bavail, bsize } = statfsSync(dir)
  const freeMb = Math.floor((bavail * bsize) / 1024 / 1024)
  if (freeMb < neededMb)
    throw new Error(`The disk is full: ${freeMb} MB are free for ${dir}, and Kafka and Redis need ${neededMb} MB.`)
}
