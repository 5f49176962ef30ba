/** Redis forgets, falls back, refuses, hangs or goes away: the deduplicator waits or makes its claims anew. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, isOf, mustBite, type Scene, untilAllMove, untilStageMoves } from '../fault.ts'
import type { NetworkFault } from '../world/pump.ts'

const awayMs = 8_000
const answeredMs = 2_000

type Act = (scene: Scene) => Promise<void>

/** What was forgotten must have been made anew from the source topic, and the records of the time the same as ever. */
const forgetting = (name: string, about: string, act: Act, smoke = false): Fault => ({
  name: `redis/${name}`,
  about,
  ...(smoke ? { smoke } : {}),
  async run(scene) {
    const { fleet } = scene
    const recoveriesMs: number[] = []
    let rebuilt = 0
    for (let time = 0; time < scene.repeat; time++) {
      const since = Date.now()
      await act(scene)
      recoveriesMs.push(await untilStageMoves(scene, 'deduplicator', Date.now()))
      // A partition is made anew when its next batch comes.
      await fleet.until('claims to be made anew', since, isOf('deduplicator', 'claims-rebuilt'))
      rebuilt += fleet.count(since, isOf('deduplicator', 'claims-rebuilt'))
    }
    return { proof: `${rebuilt} partitions made anew`, recoveriesMs }
  },
})

/** Redis serves nothing, or no writes, for some seconds: nothing may be judged meanwhile. */
const waiting = (name: string, about: string, begin: Act, end: Act, forMs = awayMs): Fault => ({
  name: `redis/${name}`,
  about,
  async run(scene) {
    const { fleet } = scene
    const recoveriesMs: number[] = []
    let judged = 0
    let tried = 0
    for (let time = 0; time < scene.repeat; time++) {
      await begin(scene)
      // What Redis had answered already may still be committed.
      await sleep(answeredMs)
      const since = Date.now()
      await sleep(forMs)
      judged += fleet.count(since, isOf('deduplicator', 'batch-processed'))
      tried += fleet.count(since, isOf('deduplicator', 'batch-retry'))
      await end(scene)
      recoveriesMs.push(await untilStageMoves(scene, 'deduplicator', Date.now()))
    }
    mustBite(tried > 0, 'no batch was tried meanwhile')
    if (judged > 0) throw new Error(`${judged} batches were judged while Redis could not say`)
    return { proof: `no batch judged, ${tried} tried again`, recoveriesMs }
  },
})

const onTheWay = (name: string, about: string, fault: NetworkFault): Fault =>
  waiting(
    `network/${name}`,
    about,
    async ({ redis }) => redis.proxy.inject(fault),
    async ({ redis }) => redis.proxy.heal(),
    awayMs,
  )

/** Evicted claims are noticed within five seconds; what comes twice before that may slip through, so nothing comes meanwhile. */
const evicting: Fault = {
  name: 'redis/evicting',
  about:
    'Redis throws claims away against its checked policy, while nothing is sent for six seconds: it is noticed, and all is made anew',
  async run(scene) {
    const { redis, load, fleet } = scene
    load.pause()
    await sleep(4_000)
    await redis.evict(500)
    await redis.healMemory()
    await sleep(6_000)
    const since = Date.now()
    load.resume()
    const isEvicted = (line: { event: string; reason?: unknown }) => line.event === 'claims-rebuilt' && line.reason === 'evicted'
    await fleet.until('the evictions to be noticed', since, isEvicted)
    const recoveriesMs = [await untilAllMove(scene, since)]
    return { proof: `${fleet.count(since, isEvicted)} partitions made anew for evictions`, recoveriesMs }
  },
}

/** Commands go one after the other to a batch under way: it meets a Redis that has just forgotten what it claimed before. */
const flushStorm: Act = async ({ redis, random }) => {
  for (let time = 0; time < 20; time++) {
    await redis.flush()
    await sleep(random.integer(5, 150))
  }
}

export const redisFaults: Fault[] = [
  forgetting('flushed', 'FLUSHALL', ({ redis }) => redis.flush(), true),
  forgetting('flushed-during-batches', 'FLUSHALL twenty times within two seconds, batches under way', flushStorm),
  forgetting('restarted-empty', 'kill -9, and it comes back without its data', async ({ redis }) => {
    await redis.kill()
    await redis.restart({ empty: true })
  }),
  forgetting('rolled-back', 'kill -9, and it comes back with the data of some seconds ago', async ({ redis }) => {
    await redis.takeSnapshot()
    await sleep(5_000)
    await redis.restoreSnapshot()
  }),
  forgetting('stale-failover', 'kill -9, and a replica takes over that lags five seconds', async ({ redis }) => {
    redis.letReplicaLag()
    await sleep(5_000)
    await redis.failOver()
  }),
  forgetting(
    'empty-primary-wipes-replica',
    'the primary restarts empty, its replica copies that, and takes over',
    async ({ redis }) => {
      await redis.kill()
      await redis.restart({ empty: true })
      await redis.failOver()
    },
  ),
  evicting,
  waiting(
    'killed',
    `kill -9, away for ${awayMs / 1000} s, back with its append-only file`,
    ({ redis }) => redis.kill(),
    ({ redis }) => redis.restart(),
  ),
  {
    ...waiting(
      'gone-for-minutes',
      'kill -9, away for two minutes',
      ({ redis }) => redis.kill(),
      ({ redis }) => redis.restart(),
      120_000,
    ),
    once: true,
  },
  waiting(
    'out-of-memory',
    'every write is refused with -OOM',
    ({ redis }) => redis.refuseWrites(),
    ({ redis }) => redis.healMemory(),
  ),
  waiting(
    'read-only',
    'clients reach a replica that answers -READONLY',
    async ({ redis }) => redis.serveReplica(),
    async ({ redis }) => redis.servePrimary(),
  ),
  waiting(
    'hangs',
    'SIGSTOP, its connections open',
    async ({ redis }) => redis.hang(),
    async ({ redis }) => redis.wake(),
  ),
  loading(),
  onTheWay('cut', 'connections to Redis are reset, new ones too', 'cut'),
  onTheWay('half-open', 'connections to Redis stay open and carry nothing', 'half-open'),
  slow(),
]

function loading(): Fault {
  const loadingMs = 10_000
  return {
    name: 'redis/loading',
    about: `kill -9, and it answers -LOADING for about ${loadingMs / 1000} s`,
    async run(scene) {
      const { redis, fleet } = scene
      const since = Date.now()
      await redis.restartLoading(loadingMs)
      const loadedAt = Date.now()
      const tried = fleet.count(since, isOf('deduplicator', 'batch-retry'))
      mustBite(tried > 0, 'no batch was tried meanwhile')
      return {
        proof: `${tried} batches tried again`,
        recoveriesMs: [await untilStageMoves(scene, 'deduplicator', loadedAt)],
      }
    },
  }
}

function slow(): Fault {
  return {
    name: 'redis/network/slow',
    about: 'every answer of Redis takes a second and a half longer, for fifteen seconds: batches go on, late',
    async run(scene) {
      const { redis, fleet } = scene
      const since = Date.now()
      redis.proxy.inject({ delayMs: 750 })
      await sleep(15_000)
      const slowBatches = fleet.count(
        since,
        (line) => isOf('deduplicator', 'batch-processed')(line) && Number(line.stepMs) >= 1_400,
      )
      redis.proxy.heal()
      mustBite(slowBatches > 0, 'no batch was slow')
      return {
        proof: `${slowBatches} batches waited 1.4 s or more for Redis`,
        recoveriesMs: [await untilStageMoves(scene, 'deduplicator', Date.now())],
      }
    },
  }
}
