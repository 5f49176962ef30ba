/** Redis with a given number of claims in it, left there by a quick path that is held against the real one. */
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type Claims, createClaims } from '../../services/deduplicator/claims.ts'
import { batchRecords, knownAt, life, partitions } from './claims-load.ts'

const perCall = 5_000
/** So many claims of each fill are compared with what the real path leaves. */
const compared = 50

const lua = readFileSync(new URL('known-claims.lua', import.meta.url), 'utf8')
const keyOf = (prefix: string, partition: number) => `${prefix}d{${partition}}`

/** A claim's key: as claim.lua makes it. */
export const claimKey = (prefix: string, partition: number, epoch: Buffer, eventId: string) =>
  Buffer.concat([Buffer.from(keyOf(prefix, partition)), epoch, Buffer.from(eventId, 'hex')])

/** Known claims of one prefix, the same number in each partition. */
export type Known = {
  /** Brings it to so many of each partition. */
  growTo: (perPartition: number, onProgress: (made: number) => void) => Promise<void>
}

export function createKnown(redis: Redis, prefix: string): Known {
  const claims = createClaims(redis, { prefix, ...life })
  let perPartitionNow = 0

  async function grow(partition: number, to: number): Promise<void> {
    const from = perPartitionNow
    if (from === 0) await claims.beginEpoch(partition, Buffer.alloc(0), 0)
    // What was claimed since has moved the cursor: the new claims lie behind it.
    const begin = Number(await redis.hget(keyOf(prefix, partition), 'upto'))
    const shift = begin - from
    const logTime = Date.now()
    const last = Math.max(from, to - batchRecords)
    for (let number = from; number < last; number += perCall) {
      const next = Math.min(last, number + perCall)
      const args = [number, next, number + shift, logTime, life.windowMs + life.slackMs]
      await redis.eval(lua, 1, keyOf(prefix, partition), ...args)
    }
    // The last batch goes the real way, and with it the cursor.
    const occurrences = numbers(last, to).map((number) => ({ offset: number + shift, timestamp: logTime, ...knownAt(number) }))
    await claims.claim({ partition, begin, end: to + shift, occurrences })
    if (last > from)
      await compare(redis, claims, prefix, { partition, from, to: Math.min(last, from + compared), shift, logTime })
  }

  return {
    async growTo(perPartition, onProgress) {
      for (let partition = 0; partition < partitions; partition++) {
        await grow(partition, perPartition)
        onProgress(partitions * perPartitionNow + (partition + 1) * (perPartition - perPartitionNow))
      }
      perPartitionNow = perPartition
    },
  }
}

type Sample = { partition: number; from: number; to: number; shift: number; logTime: number }

/** Throws unless the real path, given the same records in an index of its own, leaves the same: value, encoding, memory, life. */
async function compare(redis: Redis, claims: Claims, prefix: string, sample: Sample): Promise<void> {
  const { partition, from, to, shift, logTime } = sample
  const other = prefix.replace(/[a-z]/g, 'z')
  const real = createClaims(redis, { prefix: other, ...life })
  await real.beginEpoch(partition, Buffer.alloc(0), from + shift)
  const occurrences = numbers(from, to).map((number) => ({ offset: number + shift, timestamp: logTime, ...knownAt(number) }))
  await real.claim({ partition, begin: from + shift, end: to + shift, occurrences })
  const [{ epoch }, { epoch: otherEpoch }] = [await claims.cursor(partition), await real.cursor(partition)]
  for (const { eventId } of occurrences) {
    const [quick, slow] = await Promise.all([
      stateOf(redis, claimKey(prefix, partition, epoch, eventId)),
      stateOf(redis, claimKey(other, partition, otherEpoch, eventId)),
    ])
    if (quick.same !== slow.same || Math.abs(quick.lifeMs - slow.lifeMs) > 60_000)
      throw new Error(`The quick path leaves ${JSON.stringify(quick)}, the real one ${JSON.stringify(slow)}`)
    await redis.unlink(claimKey(other, partition, otherEpoch, eventId))
  }
  await redis.unlink(keyOf(other, partition))
}

async function stateOf(redis: Redis, key: Buffer): Promise<{ same: string; lifeMs: number }> {
  const value = (await redis.getBuffer(key))?.toString('hex')
  if (!value) throw new Error('A claim that was just made is not there')
  return {
    same: [value, await redis.object('ENCODING', key), await redis.memory('USAGE', key)].join(' '),
    lifeMs: await redis.pttl(key),
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
