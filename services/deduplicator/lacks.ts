/** What a whole-looking cursor cannot tell: that the topic has another life, or that Redis has evicted claims. */
import type { RangeReader } from '../../shared/kafka/range-reader.ts'
import type { Claims } from './claims.ts'
import type { Lack } from './rebuild.ts'
import { infoOf, type RedisClient } from './redis.ts'

type Deps = {
  claims: Claims
  redis: RedisClient
  bounds: (partition: number) => Promise<{ low: number; high: number }>
  readRange: RangeReader
  now?: () => number
}

/** `mended` is called when all claims have been made anew; until then the lack is found again. */
export type FoundLack = { lack: Lack; mended: () => void }

const everyMs = 5_000

export function createFindLack(deps: Deps): (partition: number) => Promise<FoundLack | undefined> {
  const { claims, redis, now = Date.now } = deps
  const countEvictions = createEvictionCount(redis, now)
  /** How many keys had been evicted when each partition's claims were last known to be whole. */
  const wholeAt = new Map<number, number>()

  return async (partition) => {
    const evictions = await countEvictions()
    const before = wholeAt.get(partition)
    if (before === evictions) return undefined
    const mended = () => void wholeAt.set(partition, evictions)
    const { epoch, peak } = await claims.cursor(partition)
    if (before !== undefined) return { lack: { reason: 'evicted', detail: evictions - before, epoch }, mended }
    if (peak && !(await isOfThisLife(deps, partition, peak)))
      return { lack: { reason: 'another-life', detail: peak.offset, epoch }, mended }
    mended()
    return undefined
  }
}

/**
 * The record that first reached the log time, still where it was, with the timestamp it had? Once per partition and process, so it may cost a
 * read; a look-up by timestamp would find control and aborted records as well.
 */
async function isOfThisLife(
  { bounds, readRange }: Deps,
  partition: number,
  peak: { offset: number; timestamp: number },
): Promise<boolean> {
  const { low, high } = await bounds(partition)
  if (peak.offset < low) return true
  if (peak.offset >= high) return false
  let found: number | undefined
  await readRange({
    partition,
    from: peak.offset,
    to: peak.offset + 1,
    async onRecords([record]) {
      found ??= record?.timestamp
    },
  })
  return found === peak.timestamp
}

/** How many keys Redis has evicted, at the cost of one INFO every few seconds. */
function createEvictionCount(redis: RedisClient, now: () => number): () => Promise<number> {
  let evicted = 0
  let checkedAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (now() - checkedAt < everyMs) return evicted
    const counts = (await infoOf(redis, 'stats')).map((info) => Number(/evicted_keys:(\d+)/.exec(info)?.[1] ?? 0))
    evicted = counts.reduce((sum, count) => sum + count, 0)
    checkedAt = now()
    return evicted
  }
}
