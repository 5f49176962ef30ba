/** The process that claims: through `createClaims`, as the deduplicator does, and the same script with nothing around it. */
import { Redis } from 'ioredis'
import { type ClaimRequest, createClaims } from '../../services/deduplicator/claims.ts'
import type { RedisClient } from '../../services/deduplicator/redis.ts'
import { asTheStage, batchRecords, life, newIds, newPerBatch, nextBatch, type Place, partitions } from './claims-load.ts'
import { claimKey } from './known-claims.ts'
import { redisCpuUs } from './own-redis.ts'
import { answerParent } from './worker.ts'

/** `how`: through the claims path, or the bare script. `known`: claims of each partition that are there under this prefix. */
export type Side = { redisUrl: string; prefix: string; known: number; how: 'path' | 'raw' }
/** Both sides in turn, `rounds` batches of every partition at a time, until each has taken so long. */
export type ClaimsInput = { sides: [Side, Side]; seconds: number; rounds: number }
/** Of one side: how many were claimed, how long it took, and the CPU of this process and of Redis meanwhile. */
export type ClaimsCost = { claimed: number; ms: number; clientUs: number; redisUs: number }

type Packed = (string | number | Buffer)[]
type Bare = { claimBuffer: (...args: Packed) => Promise<[Buffer, Buffer, Buffer]> }

answerParent(async ({ sides, seconds, rounds }: ClaimsInput) => {
  const [first, second] = await Promise.all([openSide(sides[0]), openSide(sides[1])])
  // Both once in vain, so that neither meets code that was never run.
  for (const measure of [first, second]) await measure(1)
  const costs = [first, second].map((): ClaimsCost => ({ claimed: 0, ms: 0, clientUs: 0, redisUs: 0 }))
  while (costs.some(({ ms }) => ms < seconds * 1_000)) {
    for (const [index, measure] of [first, second].entries()) add(costs[index] as ClaimsCost, await measure(rounds))
  }
  return costs
})

function add(sum: ClaimsCost, one: ClaimsCost): void {
  for (const name of Object.keys(sum) as (keyof ClaimsCost)[]) sum[name] += one[name]
}

async function openSide({ redisUrl, prefix, known, how }: Side) {
  const redis = new Redis(redisUrl)
  const claims = createClaims(redis, { prefix, ...life })
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const epochs = await Promise.all(all.map(async (partition) => (await claims.cursor(partition)).epoch))
  const places = await Promise.all(all.map((partition) => placeOf(redis, prefix, partition)))

  /** Does the work; what it gives counts, later, how many claims were new. */
  async function claimAll(rounds: ClaimRequest[][]): Promise<() => number> {
    const answers = await asTheStage(rounds, claims.claim)
    return () => answers.flatMap(({ verdicts }) => verdicts).filter(({ kind }) => kind === 'new').length
  }
  async function claimBare(rounds: Packed[][]): Promise<() => number> {
    const answers = await asTheStage(rounds, (args) => (redis as unknown as Bare).claimBuffer(...args))
    return () => answers.flatMap(([, , verdicts]) => kindsIn(verdicts)).filter((kind) => kind === 'N').length
  }

  return async function measure(count: number): Promise<ClaimsCost> {
    const rounds = Array.from({ length: count }, () => places.map((place, partition) => nextBatch(partition, place, known)))
    const packed = how === 'raw' ? await pack(prefix, rounds) : []
    const redisBefore = await redisCpuUs(redis)
    const clientBefore = process.cpuUsage()
    const begun = performance.now()
    const countNew = how === 'raw' ? await claimBare(packed) : await claimAll(rounds)
    const ms = performance.now() - begun
    const { user, system } = process.cpuUsage(clientBefore)
    const redisUs = (await redisCpuUs(redis)) - redisBefore
    const batches = count * partitions
    if (countNew() !== batches * newPerBatch) throw new Error(`${countNew()} of ${batches * newPerBatch} claims were new`)
    // As many claims are known at the next measurement as at this.
    for (const batch of rounds.flat()) {
      const keys = newIds(batch).map((id) => claimKey(prefix, batch.partition, epochs[batch.partition] as Buffer, id))
      const gone = await redis.unlink(...keys)
      if (gone !== newPerBatch) throw new Error(`${gone} of ${newPerBatch} new claims were in Redis`)
    }
    return { claimed: batches * batchRecords, ms, clientUs: user + system, redisUs }
  }
}

/** Where the claims of a partition end. */
async function placeOf(redis: Redis, prefix: string, partition: number): Promise<Place> {
  const [upto, peakTime] = await redis.hmget(`${prefix}d{${partition}}`, 'upto', 'peakTime')
  if (!upto || !peakTime) throw new Error(`Partition ${partition} has no claims under ${prefix}`)
  return { offset: Number(upto), logTime: Number(peakTime) }
}

/** The arguments that `createClaims` would call the script with. */
async function pack(prefix: string, rounds: ClaimRequest[][]): Promise<Packed[][]> {
  let packed: Packed = []
  const recorder = {
    defineCommand() {},
    async claimBuffer(...args: Packed) {
      packed = args
      return [Buffer.from('ok'), Buffer.from('0'), Buffer.alloc(0)]
    },
  }
  const claims = createClaims(recorder as unknown as RedisClient, { prefix, ...life })
  const packOne = async (request: ClaimRequest) => {
    await claims.claim(request)
    return packed
  }
  const all: Packed[][] = []
  for (const round of rounds) {
    const batches: Packed[] = []
    for (const request of round) batches.push(await packOne(request))
    all.push(batches)
  }
  return all
}

/** The first letter of each verdict of claim.lua. */
const kindsIn = (verdicts: Buffer) =>
  Array.from({ length: verdicts.length / 8 }, (_, index) => String.fromCharCode(verdicts[index * 8] as number))
