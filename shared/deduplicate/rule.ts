/**
 * The rule of de-duplication, in terms of the log alone: it knows no Redis, no crash and no wall clock. *Log time* is the highest timestamp so far. A
 * record is a duplicate if an earlier record with its event id has a log time at most the window before its own; the first of such a chain is the
 * holder. The deduplicator's claims are an index of this rule and are held against it by random schedules; a replay judges by the rule itself.
 */
import type { Verdict } from './decide.ts'
import type { Occurrence } from './occurrence.ts'

export type Rule = {
  /** Judges the records of one partition, in offset order, beginning one window early. */
  judge: (occurrence: Occurrence) => Verdict
  logTime: () => number
}

type Claim = { holder: number; seen: number; contentHash: string | undefined }

/** As much of a content hash as a claim in Redis has room for: 64 bits, in hex. */
const comparedDigits = 16

export function createRule(windowMs: number): Rule {
  let logTime = 0
  /** In the order of `seen`. */
  const claims = new Map<string, Claim>()

  function forgetOld(): void {
    for (const [id, claim] of claims) {
      if (logTime - claim.seen <= windowMs) return
      claims.delete(id)
    }
  }

  return {
    judge({ offset, timestamp, eventId, contentHash, cancelId }) {
      logTime = Math.max(logTime, timestamp)
      forgetOld()
      if (eventId === undefined) return { kind: 'none', late: false, holder: offset }
      const hash = contentHash?.slice(0, comparedDigits)
      const claim = claims.get(eventId)
      const { holder, contentHash: held } = claim ?? { holder: offset, contentHash: hash }
      claims.delete(eventId)
      claims.set(eventId, { holder, seen: logTime, contentHash: held })
      const late = cancelId !== undefined && claims.has(cancelId)
      if (!claim) return { kind: 'new', late, holder }
      return { kind: held === hash ? 'duplicate' : 'conflict', late, holder }
    },
    logTime: () => logTime,
  }
}
