import { merchantSyncRecord } from '../../shared/contracts/merchant-syncs.ts'
import type { Registry } from '../../shared/contracts/registry.ts'
import type { Topics } from '../../shared/contracts/topics.ts'
import { readTokenEvent } from '../../shared/contracts/validate.ts'
import { originOf } from '../../shared/kafka/record.ts'
import { deadLetter, drop, emit, type Outcome, type OutputRecord, type SourceRecord } from '../../shared/stage/outcome.ts'
import type { Step } from '../../shared/stage/stage.ts'

type Deps = { topics: Topics; registry: Registry; partitionOf: (key: string) => number }

/** Longer than any change of the registry's leader or restart of its reader takes. */
const staleAfterMs = 30_000
/** Of one partition's batch. All partitions' syncs are in memory at once, 1.6 KB each. */
const maxSyncs = 1_500

/**
 * The step: each event is decided whole, by one version of the registry, in one turn of the event loop. A registry that cannot be followed any
 * more decides nothing (`quietMs`: since Kafka last answered its reader): a merchant who left long ago would go on being told.
 */
export function createFanOut({ quietMs, ...deps }: Deps & { quietMs: () => number }): Step {
  let syncsPerEvent = 1
  return {
    /** So many events that their syncs fit, going by the last batch. */
    take: () => Math.max(1, Math.floor(maxSyncs / syncsPerEvent)),
    async decide({ records }) {
      const quietSeconds = Math.round(quietMs() / 1000)
      if (quietSeconds * 1000 > staleAfterMs)
        throw new Error(`${deps.topics.merchants} could not be read for ${quietSeconds} s: nothing is decided by an old registry`)
      const outcomes = records.map((record) => fanOut(record, deps))
      const syncs = outcomes.reduce((sum, outcome) => sum + (outcome.kind === 'emit' ? outcome.records.length : 0), 0)
      syncsPerEvent = Math.max(1, syncs / records.length)
      return outcomes
    },
  }
}

/** One event of the public topic → one sync for each subscription that wants it. Pure, given the registry. */
export function fanOut(record: SourceRecord, { topics, registry, partitionOf }: Deps): Outcome {
  const event = readTokenEvent(record.value)
  if ('mistakes' in event) return deadLetter('not-an-event', `The value is no TokenEvent: ${event.mistakes.join('; ')}`)
  const synced = {
    event: event.value,
    key: record.key?.toString() ?? '',
    origin: originOf(record),
    registryOffset: registry.offset(),
  }
  const records = registry.match(event.value).map((match): OutputRecord => {
    const sync = merchantSyncRecord(match, synced)
    return { topic: topics.syncs, partition: partitionOf(sync.key), ...sync }
  })
  return records.length > 0 ? emit(records, { syncs: records.length }) : drop('no-subscription')
}
