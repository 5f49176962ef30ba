import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import { ClaimsError, createClaims } from '../../services/deduplicator/claims.ts'
import { withinWindow } from '../../services/deduplicator/drop-duplicates.ts'
import { claimOrRebuild, createRebuild } from '../../services/deduplicator/rebuild.ts'
import { header } from '../../shared/contracts/headers.ts'
import type { Verdict } from '../../shared/deduplicate/decide.ts'
import { occurrenceOf } from '../../shared/deduplicate/occurrence.ts'
import { createRule } from '../../shared/deduplicate/rule.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
t.teardown(() => redis.disconnect())

const windowMs = 100
const slackMs = 60 * 60 * 1000
const ids = 6
const hex = (n: number) => n.toString(16).padStart(32, '0')
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** `content`: copies of one change may differ in it. */
type LogRecord = { timestamp: number; id: number; cancel?: number; content: number }

/** A record of the log as the deduplicator reads it; ids begin at 1, since zeros mean none. */
const recordAt = (log: LogRecord[], offset: number): SourceRecord => {
  const { timestamp, id, cancel, content } = log[offset] as LogRecord
  const headers = {
    [header.id]: hex(id),
    // Claims keep the first half of a hash.
    [header.contentHash]: hex(content).padEnd(48, '0').slice(16),
    ...(cancel ? { [header.cancelId]: hex(cancel) } : {}),
  }
  return { topic: 'log', partition: 0, offset, timestamp, key: null, value: Buffer.from('{}'), headers }
}
const range = (log: LogRecord[], from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => recordAt(log, from + index))

let rebuilt = 0

/** One owner of the partition: it remembers the log time where its last batch ended, as the step does. */
function createOwner(log: LogRecord[], prefix: string) {
  const claims = createClaims(redis, { prefix, windowMs, slackMs })
  const rebuild = createRebuild({
    claims,
    windowMs,
    log: quiet,
    startAt: async (_partition, timestamp) => {
      const found = log.findIndex((record) => record.timestamp >= timestamp)
      return found === -1 ? log.length : found
    },
    async readRange({ from, to, onRecords }) {
      rebuilt++
      for (let at = from; at < to; at += 3) await onRecords(range(log, at, Math.min(to, at + 3)), Math.min(to, at + 3))
    },
  })
  let known: { end: number; logTime: number } | undefined
  return {
    async claim(begin: number, size: number): Promise<{ end: number; verdicts: Verdict[] }> {
      const records = range(log, begin, Math.min(log.length, begin + size))
      const end = begin + withinWindow(records, windowMs)
      const occurrences = records.slice(0, end - begin).map(occurrenceOf)
      const request = { partition: 0, begin, end, occurrences, ...(known?.end === begin ? { logTime: known.logTime } : {}) }
      const wanting = { partition: 0, begin, firstTimestamp: records[0]?.timestamp as number }
      const { verdicts, logTime } = await claimOrRebuild(
        () => claims.claim(request),
        (lack) => rebuild(wanting, lack),
      )
      known = { end, logTime }
      return { end, verdicts }
    },
  }
}

/** What Redis may do: forget everything, or come back as it was a while ago. */
function createForgetful(prefix: string) {
  const cursorKey = `${prefix}d{0}`
  let saved: { key: Buffer; dump: Buffer }[] = []
  const keys = async () => {
    const epoch = await redis.hgetBuffer(cursorKey, 'epoch')
    const claims = Array.from({ length: ids }, (_, id) =>
      Buffer.concat([Buffer.from(cursorKey), epoch ?? Buffer.alloc(0), Buffer.from(hex(id + 1), 'hex')]),
    )
    return [Buffer.from(cursorKey), ...claims]
  }
  const wipe = async () => {
    await redis.del(...(await keys()))
  }
  return {
    wipe,
    async save() {
      const found = await Promise.all((await keys()).map(async (key) => ({ key, dump: await redis.dumpBuffer(key) })))
      saved = found.flatMap(({ key, dump }) => (dump ? [{ key, dump }] : []))
    },
    async restore() {
      await wipe()
      for (const { key, dump } of saved) await redis.restore(key, 0, dump, 'REPLACE')
    },
  }
}

/** Timestamps wander: mostly forward by less than the window, sometimes back, sometimes far beyond it. */
const steps = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -120, max: 120 }), fc.constant(150))
const logsOf = (minLength: number) =>
  fc
    .array(fc.record({ step: steps, id: fc.integer({ min: 1, max: ids }), content: fc.constantFrom(1, 1, 1, 2) }), {
      minLength,
      maxLength: 40,
    })
    .map((entries) => {
      let timestamp = Date.now()
      // Odd ids are creations, the even id above each is the cancellation of the same token.
      return entries.map(({ step, id, content }): LogRecord => {
        timestamp += step
        return id % 2 === 1 ? { timestamp, id, cancel: id + 1, content } : { timestamp, id, content }
      })
    })

/** The rule itself, over the whole log: the oracle, and what a replay judges by. */
function judgeByRule(log: LogRecord[]): Verdict[] {
  const rule = createRule(windowMs)
  return range(log, 0, log.length).map((record) => rule.judge(occurrenceOf(record)))
}

const isDuplicate = ({ kind }: Verdict) => kind === 'duplicate' || kind === 'conflict'

/** What happens next: a batch commits or is aborted, the owner is replaced, a paused former owner wakes up and claims, Redis forgets. */
const peaceful = ['commit', 'commit', 'commit', 'abort', 'abort', 'new-owner', 'zombie'] as const
const forgetful = [...peaceful, 'wipe', 'save', 'restore'] as const
type Action = { what: (typeof forgetful)[number]; size: number }
const schedulesOf = (whats: readonly Action['what'][], minLength = 0) =>
  fc.array(fc.record({ what: fc.constantFrom(...whats), size: fc.integer({ min: 1, max: 12 }) }), { minLength, maxLength: 60 })

async function run(log: LogRecord[], schedule: Action[], seen: Record<string, number>): Promise<Verdict[]> {
  const prefix = `t${randomUUID()}.`
  const forgetfulRedis = createForgetful(prefix)
  let owner = createOwner(log, prefix)
  let former = { owner, begin: 0 }
  let committed = 0
  const final: Verdict[] = []
  const toTheEnd = Array.from({ length: log.length }, (): Action => ({ what: 'commit', size: 7 }))
  for (const { what, size } of [...schedule, ...toTheEnd]) {
    seen[what] = (seen[what] ?? 0) + 1
    if (what === 'wipe' || what === 'save' || what === 'restore') await forgetfulRedis[what]()
    else if (what === 'new-owner') {
      former = { owner, begin: committed }
      owner = createOwner(log, prefix)
    } else if (what === 'zombie') {
      // It may claim again what it had, or be told that others have gone on; its transaction is fenced either way.
      if (former.owner !== owner) {
        await former.owner.claim(former.begin, size).catch((error) => {
          if (!(error instanceof ClaimsError && error.reason === 'set-back')) throw error
        })
      }
    } else if (committed < log.length) {
      const { end, verdicts } = await owner.claim(committed, size)
      if (what === 'abort') continue
      final.push(...verdicts)
      committed = end
    }
  }
  return final
}

const runs = Number(process.env.SCHEDULES ?? 1_000)

t.test(
  'whatever is aborted, replaced or woken up, each record is judged as the rule of the log says, to the holder',
  async (t) => {
    const seen: Record<string, number> = {}
    await fc.assert(
      fc.asyncProperty(logsOf(1), schedulesOf(peaceful), async (log, schedule) => {
        const judged = (await run(log, schedule, seen)).map(({ kind, holder, late }) => ({
          ...{ kind: kind === 'own' ? 'new' : kind, late, holder },
        }))
        const expected = judgeByRule(log)
        for (const { kind } of expected) seen[kind] = (seen[kind] ?? 0) + 1
        if (JSON.stringify(judged) !== JSON.stringify(expected))
          throw new Error(`judged ${JSON.stringify(judged)}\nrule   ${JSON.stringify(expected)}`)
      }),
      { numRuns: runs },
    )
    t.ok((seen.abort ?? 0) > 100 && (seen.zombie ?? 0) > 100, `schedules had aborts and zombies: ${JSON.stringify(seen)}`)
    t.ok((seen.duplicate ?? 0) > 100 && (seen.conflict ?? 0) > 100, 'and logs had duplicates and conflicts')
  },
)

t.test('and whatever Redis forgets, every verdict stays the same', async (t) => {
  const seen: Record<string, number> = {}
  rebuilt = 0
  await fc.assert(
    // Long ones only: at the start of a log there is nothing to forget.
    fc.asyncProperty(logsOf(15), schedulesOf(forgetful, 15), async (log, schedule) => {
      // After a rebuild a duplicate may name a later copy of its chain as holder, since the first one may lie before the window.
      const judged = (await run(log, schedule, seen)).map((verdict) => ({ duplicate: isDuplicate(verdict), late: verdict.late }))
      const expected = judgeByRule(log).map((verdict) => ({ duplicate: isDuplicate(verdict), late: verdict.late }))
      if (JSON.stringify(judged) !== JSON.stringify(expected))
        throw new Error(`judged ${JSON.stringify(judged)}\nrule   ${JSON.stringify(expected)}`)
    }),
    { numRuns: runs },
  )
  t.ok(rebuilt > 100, `claims were made anew ${rebuilt} times: ${JSON.stringify(seen)}`)
})
