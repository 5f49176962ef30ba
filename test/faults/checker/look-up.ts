import { type Attempt, at, type NormalizedRecord, type RawRecord, type Run } from './run.ts'

/** Bytes that were sent: whose they are, and what the sender was told about them. */
export type Body = { change: number; odd: boolean; conflict: boolean; attempts: Attempt[] }

/** The joins that the checks share: bytes → body, origin → body and normalized record. */
export type LookUp = {
  bodies: Map<string, Body>
  rawAt: Map<string, RawRecord>
  /** Undefined for what is no raw record, did not open, or was never sent. */
  bodyOf: (origin: string) => Body | undefined
  /** The first one of that origin. */
  normalizedOf: (origin: string) => NormalizedRecord | undefined
}

export function lookUp({ attempts, raw, normalized }: Run): LookUp {
  const bodies = groupBodies(attempts)
  const rawAt = new Map(raw.map((record) => [at(record), record]))
  const byOrigin = new Map<string, NormalizedRecord>()
  for (const record of normalized) if (!byOrigin.has(record.origin)) byOrigin.set(record.origin, record)
  return {
    bodies,
    rawAt,
    bodyOf: (origin) => bodies.get(rawAt.get(origin)?.sha256 ?? ''),
    normalizedOf: (origin) => byOrigin.get(origin),
  }
}

/** Throws when the history contradicts itself: by bytes that are two changes' nobody can tell what became of either. */
export function groupBodies(attempts: Attempt[]): Map<string, Body> {
  const bodies = new Map<string, Body>()
  for (const attempt of attempts) {
    const { sha256, change, odd } = attempt
    const conflict = attempt.copy === 'conflict'
    const body = bodies.get(sha256)
    if (!body) {
      bodies.set(sha256, { change, odd, conflict, attempts: [attempt] })
      continue
    }
    if (body.change !== change || body.odd !== odd || body.conflict !== conflict) {
      const [first] = body.attempts
      throw new Error(
        `The history gives the same bytes to attempts ${first?.n} and ${attempt.n}, and says that they are different: change, odd or conflict. The load must send different bytes`,
      )
    }
    body.attempts.push(attempt)
  }
  return bodies
}
