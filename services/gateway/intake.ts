import type { IncomingMessage } from 'node:http'
import getRawBody from 'raw-body'
import type { Result } from './provider-route.ts'

/** The documented notifications have 2 KiB at most; a record sealed from this stays far below a broker's limit of 1 MiB. */
export const maxBodyBytes = 64 * 1024
/** What a chunk costs beside its bytes: a body sent in chunks of one byte would take hundreds of times its size. */
const chunkOverhead = 256
const maxCostOfOne = 2 * maxBodyBytes
/** What is read and thrown away after "too large", so that a sender still writing gets to read the answer. */
const maxDrainedBytes = 1024 * 1024

type Reading = { request: IncomingMessage; cost: number }
export type Intake = { body: Buffer; release: () => void } | { refused: Extract<Result, 'too-large' | 'busy' | 'aborted'> }

/**
 * Reads bodies, and holds the sum of all bodies in hand, from their first byte to `release`, below a limit. When it is reached, whoever
 * has been sending for the longest is cut off: an honest body takes milliseconds, so those are the ones that trickle. Only when all that
 * is in hand waits for Kafka is a new sender told to call again.
 */
export function createIntake({ maxInFlightBytes }: { maxInFlightBytes: number }) {
  const reading = new Set<Reading>()
  let inFlight = 0

  function cutOff(longest: Reading): void {
    reading.delete(longest)
    inFlight -= longest.cost
    longest.cost = 0
    longest.request.destroy()
  }

  /** True if there is room now. `own` is spared: at most one body goes beyond the limit. */
  function makeRoom(own?: Reading): boolean {
    for (const oldest of reading) {
      if (inFlight < maxInFlightBytes) break
      if (oldest !== own) cutOff(oldest)
    }
    return inFlight < maxInFlightBytes
  }

  return {
    inFlightBytes: () => inFlight,
    async read(request: IncomingMessage): Promise<Intake> {
      if (!makeRoom()) return { refused: 'busy' }
      const own: Reading = { request, cost: 0 }
      reading.add(own)
      const onData = (chunk: Buffer) => {
        const cost = chunk.length + chunkOverhead
        own.cost += cost
        inFlight += cost
        if (own.cost > maxCostOfOne) request.destroy()
        else makeRoom(own)
      }
      request.on('data', onData)
      try {
        const body = await getRawBody(request, { limit: maxBodyBytes, length: request.headers['content-length'] ?? null })
        inFlight += body.length - own.cost
        const release = once(() => {
          inFlight -= body.length
        })
        return { body, release }
      } catch (error) {
        inFlight -= own.cost
        if ((error as getRawBody.RawBodyError).status !== 413) return { refused: 'aborted' }
        drain(request)
        return { refused: 'too-large' }
      } finally {
        reading.delete(own)
        request.off('data', onData)
      }
    },
  }
}
export type IntakeReader = ReturnType<typeof createIntake>

function once(release: () => void): () => void {
  let done = false
  return () => {
    if (!done) release()
    done = true
  }
}

function drain(request: IncomingMessage): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxDrainedBytes) request.destroy()
  })
}
