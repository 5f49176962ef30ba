import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Verdict } from '../../shared/deduplicate/decide.ts'
import type { Occurrence } from '../../shared/deduplicate/occurrence.ts'
import type { RedisClient } from './redis.ts'

/** `logTime`: at `begin`, if this owner knows it from its last batch. */
export type ClaimRequest = { partition: number; begin: number; end: number; logTime?: number; occurrences: Occurrence[] }

/** Why a batch cannot be judged: Redis does not know all claims before it, or the log and Redis contradict each other. */
export type Unclaimed = 'clock' | 'missing' | 'set-back' | 'behind' | 'moved' | 'unknown' | 'lagging' | 'future'
export class ClaimsError extends Error {
  readonly reason: Unclaimed
  /** What Redis holds instead: an offset, or milliseconds. */
  readonly detail: number
  readonly epoch: Buffer
  constructor(reason: Unclaimed, detail: number, epoch: Buffer) {
    super(`Claims cannot be judged: ${reason}`)
    this.reason = reason
    this.detail = detail
    this.epoch = epoch
  }
}

export type Claims = {
  /** Claims a batch, all or nothing, and says of each record what it is. Throws ClaimsError, or the Redis error when Redis is away. */
  claim: (request: ClaimRequest) => Promise<{ verdicts: Verdict[]; logTime: number }>
  /** Claims records of a lost range again; only if claims are known exactly up to `begin`. */
  fill: (request: ClaimRequest) => Promise<void>
  /** Forgets all claims of a partition and begins anew at an offset, unless someone else has since `epoch`. */
  beginEpoch: (partition: number, epoch: Buffer, begin: number) => Promise<void>
  /** The epoch (empty: nothing is known), and the record that first reached the log time, if any has. */
  cursor: (partition: number) => Promise<{ epoch: Buffer; peak?: { offset: number; timestamp: number } }>
}

type Argument = string | number | Buffer
type Commands = {
  claimBuffer: (key: string, ...args: Argument[]) => Promise<[Buffer, Buffer, Buffer]>
  beginEpoch: (key: string, ...args: Argument[]) => Promise<number>
}

const recordBytes = 52
const verdictBytes = 8
const kinds: Record<string, Verdict['kind']> = { N: 'new', S: 'own', D: 'duplicate', C: 'conflict', '-': 'none' }
const script = (file: string) => ({ numberOfKeys: 1, lua: readFileSync(new URL(file, import.meta.url), 'utf8') })

export function createClaims(
  redis: RedisClient,
  options: { prefix: string; windowMs: number; slackMs: number; now?: () => number },
): Claims {
  const { prefix, windowMs, slackMs, now = Date.now } = options
  // The hash tag keeps a partition's claims and its cursor in one slot of a Redis Cluster.
  const keyOf = (partition: number) => `${prefix}d{${partition}}`
  redis.defineCommand('claim', script('claim.lua'))
  redis.defineCommand('beginEpoch', script('begin-epoch.lua'))
  const commands = redis as unknown as Commands

  async function call(mode: 'judge' | 'fill', { partition, begin, end, logTime, occurrences }: ClaimRequest) {
    const times = [windowMs, windowMs + slackMs, now(), slackMs]
    const answer = await commands.claimBuffer(keyOf(partition), mode, begin, end, logTime ?? '', ...times, pack(occurrences))
    const [status, detail, rest] = answer
    if (status.toString() !== 'ok') throw new ClaimsError(status.toString() as Unclaimed, Number(detail.toString()), rest)
    return { verdicts: unpack(rest), logTime: Number(detail.toString()) }
  }

  return {
    claim: (request) => call('judge', request),
    async fill(request) {
      await call('fill', request)
    },
    async beginEpoch(partition, epoch, begin) {
      await commands.beginEpoch(keyOf(partition), epoch, randomBytes(4), begin)
    },
    async cursor(partition) {
      const [epoch, offset, timestamp] = await redis.hmgetBuffer(keyOf(partition), 'epoch', 'peak', 'peakTime')
      if (!epoch) return { epoch: Buffer.alloc(0) }
      if (!offset || !timestamp) return { epoch }
      return { epoch, peak: { offset: Number(offset.toString()), timestamp: Number(timestamp.toString()) } }
    },
  }
}

function pack(occurrences: Occurrence[]): Buffer {
  const packed = Buffer.alloc(occurrences.length * recordBytes)
  occurrences.forEach(({ offset, timestamp, eventId, contentHash, cancelId }, index) => {
    const at = index * recordBytes
    if (eventId) packed.write(eventId, at, 16, 'hex')
    if (cancelId) packed.write(cancelId, at + 16, 16, 'hex')
    if (contentHash) packed.write(contentHash, at + 32, 8, 'hex')
    packed.writeUIntBE(timestamp, at + 40, 6)
    packed.writeUIntBE(offset, at + 46, 6)
  })
  return packed
}

function unpack(packed: Buffer): Verdict[] {
  return Array.from({ length: packed.length / verdictBytes }, (_, index) => {
    const at = index * verdictBytes
    const kind = kinds[String.fromCharCode(packed[at] as number)] as Verdict['kind']
    return { kind, late: packed[at + 1] === 1, holder: packed.readUIntBE(at + 2, 6) }
  })
}
