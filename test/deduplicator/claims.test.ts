import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import {
  type ClaimRequest,
  ClaimsError,
  createClaims,
  type Occurrence,
  type Verdict,
} from '../../services/deduplicator/claims.ts'
import { withinWindow } from '../../services/deduplicator/drop-duplicates.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { judgeByRule, type LogRecord } from './rule.ts'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
t.teardown(() => redis.disconnect())

const windowMs = 100
const slackMs = 60 * 60 * 1000
const hex = (n: number) => n.toString(16).padStart(32, '0')

/** A record of the log as the deduplicator hands it to the claims; ids begin at 1, since zeros mean none. */
const occurrenceAt = (log: LogRecord[], offset: number): Occurrence => {
  const { timestamp, id, cancel } = log[offset] as LogRecord
  const occurrence = { offset, timestamp, eventId: hex(id), contentHash: hex(id) }
  return cancel === undefined ? occurrence : { ...occurrence, cancelId: hex(cancel) }
}

/** One owner of the partition: it remembers the log time where its last batch ended, as the step does. */
function createOwner(log: LogRecord[], prefix: string) {
  const claims = createClaims(redis, { prefix, windowMs, slackMs })
  let known: { end: number; logTime: number } | undefined
  return {
    async claim(begin: number, size: number): Promise<{ end: number; verdicts: Verdict[] }> {
      const upTo = log.slice(begin, begin + size).map((record) => ({ timestamp: record.timestamp }) as SourceRecord)
      const end = begin + withinWindow(upTo, windowMs)
      const occurrences = Array.from({ length: end - begin }, (_, index) => occurrenceAt(log, begin + index))
      const request: ClaimRequest = { partition: 0, begin, end, occurrences, atLogStart: async () => begin === 0 }
      const { verdicts, logTime } = await claims.claim(known?.end === begin ? { ...request, logTime: known.logTime } : request)
      known = { end, logTime }
      return { end, verdicts }
    },
  }
}

/** Timestamps wander: mostly forward by less than the window, sometimes back, sometimes far beyond it. */
const logs = fc
  .array(
    fc.record({
      step: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -120, max: 120 }), fc.constant(150)),
      id: fc.integer({ min: 1, max: 6 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((steps) => {
    let timestamp = Date.now()
    // Odd ids are creations, the even id above each is the cancellation of the same token.
    return steps.map(({ step, id }): LogRecord => {
      timestamp += step
      return id % 2 === 1 ? { timestamp, id, cancel: id + 1 } : { timestamp, id }
    })
  })

/** What happens next: a batch commits or is aborted, the owner is replaced, or a paused former owner wakes up and claims. */
const actions = fc.array(
  fc.record({
    what: fc.constantFrom('commit', 'commit', 'commit', 'abort', 'abort', 'new-owner', 'zombie'),
    size: fc.integer({ min: 1, max: 12 }),
  }),
  { maxLength: 60 },
)

t.test('whatever is aborted, replaced or woken up, each record is judged as the rule of the log says', async (t) => {
  let aborted = 0
  let zombies = 0
  await fc.assert(
    fc.asyncProperty(logs, actions, async (log, schedule) => {
      const prefix = `t${randomUUID()}.`
      let owner = createOwner(log, prefix)
      let former = owner
      let formerBegin = 0
      let committed = 0
      const final: Verdict[] = []
      const steps = [...schedule, ...Array.from({ length: log.length }, () => ({ what: 'commit' as const, size: 7 }))]
      for (const { what, size } of steps) {
        if (what === 'zombie') {
          if (former === owner) continue
          // It may claim again what it had, or be told that others have gone on; its transaction is fenced either way.
          await former.claim(formerBegin, size).catch((error) => {
            if (!(error instanceof ClaimsError && error.reason === 'set-back')) throw error
          })
          zombies++
          continue
        }
        if (what === 'new-owner') {
          former = owner
          formerBegin = committed
          owner = createOwner(log, prefix)
          continue
        }
        if (committed === log.length) continue
        const { end, verdicts } = await owner.claim(committed, size)
        if (what === 'abort') {
          aborted++
          continue
        }
        final.push(...verdicts)
        committed = end
      }
      const expected = judgeByRule(log, windowMs)
      const judged = final.map(({ kind, holder, late }) => ({ duplicateOf: kind === 'duplicate' ? holder : undefined, late }))
      if (JSON.stringify(judged) !== JSON.stringify(expected))
        throw new Error(`judged ${JSON.stringify(judged)}\nrule   ${JSON.stringify(expected)}`)
    }),
    { numRuns: Number(process.env.SCHEDULES ?? 1_500) },
  )
  t.ok(aborted > 100 && zombies > 100, `batches were aborted (${aborted}) and zombies woke up (${zombies})`)
})
