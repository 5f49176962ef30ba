import { merchantSyncHeaders } from '../../shared/contracts/cloud-event.ts'
import { header } from '../../shared/contracts/headers.ts'
import type { Registry } from '../../shared/contracts/registry.ts'
import type { Topics } from '../../shared/contracts/topics.ts'
import type { MerchantSync } from '../../shared/contracts/types.ts'
import { readTokenEvent } from '../../shared/contracts/validate.ts'
import { originOf } from '../../shared/kafka/record.ts'
import { deadLetter, drop, emit, type Outcome, type OutputRecord, type SourceRecord } from '../../shared/stage/outcome.ts'
import type { Step } from '../../shared/stage/stage.ts'

type Deps = { topics: Topics; registry: Registry; partitionOf: (key: string) => number }

/** Longer than any change of the registry's leader or restart of its reader takes. */
const staleAfterMs = 30_000

/**
 * The step: each event is decided whole, by one version of the registry, in one turn of the event loop. A registry that cannot be followed any
 * more decides nothing (`quietMs`: since Kafka last answered its reader): a merchant who left long ago would go on being told.
 */
export const createFanOut = ({ quietMs, ...deps }: Deps & { quietMs: () => number }): Step => ({
  async decide({ records }) {
    const quietSeconds = Math.round(quietMs() / 1000)
    if (quietSeconds * 1000 > staleAfterMs)
      throw new Error(`${deps.topics.merchants} could not be read for ${quietSeconds} s: nothing is decided by an old registry`)
    return records.map((record) => fanOut(record, deps))
  },
})

/** One event of the public topic → one sync for each subscription that wants it. Pure, given the registry. */
export function fanOut(record: SourceRecord, { topics, registry, partitionOf }: Deps): Outcome {
  const event = readTokenEvent(record.value)
  if ('mistakes' in event) return deadLetter('not-an-event', `The value is no TokenEvent: ${event.mistakes.join('; ')}`)
  const registryOffset = registry.offset()
  const records = registry.match(event.value).map(({ merchantId, subscription }): OutputRecord => {
    const syncId = `${event.value.eventId}.${merchantId}.${subscription.id}`
    const sync: MerchantSync = { syncId, merchantId, subscriptionId: subscription.id, registryOffset, event: event.value }
    // Syncs of one token to one merchant stay in order; another merchant's never wait for them.
    const key = `${merchantId}:${event.value.token?.ref ?? record.key?.toString() ?? ''}`
    const headers = { ...merchantSyncHeaders(sync), [header.origin]: originOf(record) }
    return { topic: topics.syncs, partition: partitionOf(key), key, value: JSON.stringify(sync), headers }
  })
  return records.length > 0 ? emit(records, { syncs: records.length }) : drop('no-subscription')
}
