import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'

/** One record as the claims see it. `eventId` undefined: it holds no event, only a time. */
export type Occurrence = { offset: number; timestamp: number; eventId?: string; contentHash?: string; cancelId?: string }

/**
 * `new`: this record is the holder. `own`: it has been since before an aborted transaction. `duplicate`, `conflict`: `holder` is the offset of
 * the record that is, with the same content or another. `none`: no event id.
 */
export type Verdict = { kind: 'new' | 'own' | 'duplicate' | 'conflict' | 'none'; late: boolean; holder: number }

export type ClaimRequest = {
  partition: number
  begin: number
  end: number
  /** Log time at `begin`, if this owner knows it from its last batch. */
  logTime?: number
  /** True if `begin` is where the log starts: then there is nothing that Redis could have forgotten. */
  atLogStart: () => Promise<boolean>
  occurrences: Occurrence[]
}

/** Why a batch cannot be judged: Redis does not know all claims before it, or the log and Redis contradict each other. */
export type Unclaimed = 'clock' | 'missing' | 'set-back' | 'behind' | 'unknown' | 'lagging' | 'future'
export class ClaimsError extends Error {
  readonly reason: Unclaimed
  readonly detail: string
  constructor(reason: Unclaimed, detail: string) {
    super(`Claims cannot be judged: ${reason}`)
    this.reason = reason
    this.detail = detail
  }
}

export type Claims = {
  /** Claims a batch, all or nothing, and says of each record what it is. Throws ClaimsError, or the Redis error when Redis is away. */
  claim: (request: ClaimRequest) => Promise<{ verdicts: Verdict[]; logTime: number }>
}

type ClaimCommand = (key: string, ...args: (string | number | Buffer)[]) => Promise<[Buffer, Buffer, Buffer]>

const recordBytes = 52
const verdictBytes = 8
const kinds: Record<string, Verdict['kind']> = { N: 'new', S: 'own', D: 'duplicate', C: 'conflict', '-': 'none' }

export function createClaims(
  redis: Redis,
  options: { prefix: string; windowMs: number; slackMs: number; now?: () => number },
): Claims {
  const { prefix, windowMs, slackMs, now = Date.now } = options
  const command = commandOf(redis)
  const life = windowMs + slackMs
  return {
    async claim({ partition, begin, end, logTime, atLogStart, occurrences }) {
      // The hash tag keeps a partition's claims and its cursor in one slot of a Redis Cluster.
      const key = `${prefix}d{${partition}}`
      const call = (start: string) =>
        command(key, begin, end, logTime ?? '', windowMs, life, now(), slackMs, start, pack(occurrences))
      let [status, detail, verdicts] = await call('')
      if (status.toString() === 'missing' && (await atLogStart())) [status, detail, verdicts] = await call('start')
      if (status.toString() !== 'ok') throw new ClaimsError(status.toString() as Unclaimed, detail.toString())
      return { verdicts: unpack(verdicts), logTime: Number(detail.toString()) }
    },
  }
}

/** The script is sent once and called by its hash from then on (ioredis sends it again when Redis has forgotten it). */
function commandOf(redis: Redis): ClaimCommand {
  redis.defineCommand('claim', { numberOfKeys: 1, lua: readFileSync(new URL('claim.lua', import.meta.url), 'utf8') })
  const { claimBuffer } = redis as unknown as { claimBuffer: ClaimCommand }
  return claimBuffer.bind(redis)
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

/** Fails fast: a command waits 5 s at most and is not queued while Redis is away, so the batch is tried again and heartbeats go on. */
export const connectRedis = (url: string): Redis =>
  new Redis(url, {
    commandTimeout: 5_000,
    connectTimeout: 3_000,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    lazyConnect: true,
  })
