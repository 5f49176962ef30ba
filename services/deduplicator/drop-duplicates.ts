import type { Topics } from '../../shared/contracts/topics.ts'
import { decide, type Verdict } from '../../shared/deduplicate/decide.ts'
import { occurrenceOf } from '../../shared/deduplicate/occurrence.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import { FencedError, type SourceRecord, StopError } from '../../shared/stage/outcome.ts'
import type { Batch, Step } from '../../shared/stage/stage.ts'
import { type Claims, ClaimsError } from './claims.ts'
import type { FoundLack } from './lacks.ts'
import { claimOrRebuild, type Lack, type Rebuild } from './rebuild.ts'

type Deps = {
  claims: Claims
  rebuild: Rebuild
  topics: Topics
  windowMs: number
  /** What Redis lacks although its cursor looks whole: claims of another life of the topic, or evicted ones. */
  findLack: (partition: number) => Promise<FoundLack | undefined>
}

/** The deduplicator's step: one Lua call per batch judges and claims, the rest is a pure decision about each verdict. */
export function createDropDuplicates({ claims, rebuild, topics, windowMs, findLack }: Deps): Step {
  /** Where this process's last batch of a partition ended, and the log time there. */
  const known = new Map<number, { end: number; logTime: number }>()

  async function judge({ partition, begin, end, records, signal }: Batch): Promise<Verdict[]> {
    const occurrences = records.map(occurrenceOf)
    const wanting = { partition, begin, firstTimestamp: records[0]?.timestamp ?? 0, signal }
    const mend = (lack: Lack) => rebuild(wanting, lack)
    const found = await findLack(partition)
    if (found) {
      await mend(found.lack)
      found.mended()
    }
    await failpoint('claims.looked')
    const last = known.get(partition)
    const request = { partition, begin, end, occurrences, ...(last?.end === begin ? { logTime: last.logTime } : {}) }
    const { verdicts, logTime } = await claimOrRebuild(async () => {
      const claiming = claims.claim(request)
      await failpoint('claims.claiming')
      return claiming
    }, mend)
    await failpoint('claims.claimed')
    known.set(partition, { end, logTime })
    return verdicts
  }

  return {
    take: (records) => withinWindow(records, windowMs),
    async decide(batch) {
      const verdicts = await judge(batch).catch((error) => {
        throw error instanceof ClaimsError ? explain(error, batch) : error
      })
      return batch.records.map((record, index) => decide(record, verdicts[index] as Verdict, topics))
    },
  }
}

/**
 * A batch never spans more than one window of log time: else an event whose transaction was aborted could come again and meet a *later* holder
 * of its id. By these records' timestamps alone, which can only overestimate.
 */
export function withinWindow(records: SourceRecord[], windowMs: number): number {
  const first = records[0]?.timestamp ?? 0
  const beyond = records.findIndex(({ timestamp }) => timestamp - first > windowMs)
  return beyond === -1 ? records.length : Math.max(1, beyond)
}

/** The contradictions between Redis and the log that making claims anew would not mend, in words an operator can act on. */
function explain({ reason, detail }: ClaimsError, { partition, begin }: Batch): Error {
  if (reason === 'clock') {
    return new StopError(
      `Redis's clock is ${detail} ms away from this machine's: claims would expire at the wrong time. Set the clocks`,
    )
  }
  return new FencedError(
    `The committed offset ${begin} of partition ${partition} is lower than ${detail}, which Redis saw committed: the group's offsets were lost or set back. Going on would emit changes twice. Set the group's offset to at least ${detail}; only to emit everything again on purpose, delete this partition's cursor in Redis (the hash that ends in d{${partition}})`,
  )
}
