/** What a whole-looking cursor cannot tell: that the topic has another life, or that Redis has evicted claims. */
import type { Redis } from 'ioredis'
import type { Claims } from './claims.ts'
import type { Lack } from './rebuild.ts'

type Deps = {
  claims: Claims
  redis: Redis
  offsetAt: (partition: number, timestamp: number) => Promise<number>
  logStart: (partition: number) => Promise<number>
  now?: () => number
}

const everyMs = 5_000

export function createFindLack({
  claims,
  redis,
  offsetAt,
  logStart,
  now = Date.now,
}: Deps): (partition: number) => Promise<Lack | undefined> {
  const countEvictions = createEvictionCount(redis, now)
  /** What each partition's claims were when they were last known to be whole. */
  const whole = new Map<number, { epoch: string; evictions: number }>()

  return async (partition) => {
    const evictions = await countEvictions()
    const before = whole.get(partition)
    if (before?.evictions === evictions) return undefined
    const { epoch, peak } = await claims.cursor(partition)
    if (before && evictions > before.evictions && epoch.toString('hex') === before.epoch) {
      return { reason: 'evicted', detail: evictions - before.evictions, epoch }
    }
    // The record that first reached the log time is the first with its timestamp, for ever: in another life of the topic, another one is.
    if (!before && peak && peak.offset >= (await logStart(partition))) {
      const found = await offsetAt(partition, peak.timestamp)
      if (found !== peak.offset) return { reason: 'another-life', detail: found, epoch }
    }
    whole.set(partition, { epoch: epoch.toString('hex'), evictions })
    return undefined
  }
}

/** How many keys Redis has evicted, at the cost of one INFO every few seconds. */
function createEvictionCount(redis: Redis, now: () => number): () => Promise<number> {
  let evicted = 0
  let checkedAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (now() - checkedAt < everyMs) return evicted
    evicted = Number(/evicted_keys:(\d+)/.exec(await redis.info('stats'))?.[1] ?? 0)
    checkedAt = now()
    return evicted
  }
}
