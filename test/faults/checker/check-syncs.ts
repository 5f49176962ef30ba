import type { Found } from './problems.ts'
import { createRegistry, type Registry } from './registry.ts'
import { at, type EventRecord, type Run, type SyncRecord } from './run.ts'

/**
 * One sync for each event and subscription that matched, decided by one registry version, which the syncs name. Nothing names the version by
 * which an event got no sync: it is in order if it matched nobody at some version that stood while the run went on. What an operator had
 * written again may come any number of times, but only what the version it names wants, as the event says it.
 */
export function checkSyncs({ raw, events, syncs, lostSyncs, registry: records }: Run, found: Found): void {
  const registry = createRegistry(records)
  // Raw records and registry records are both stamped by the broker.
  const begin = raw.reduce((earliest, { timestamp }) => Math.min(earliest, timestamp), Number.POSITIVE_INFINITY)
  const standing = registry.since(begin)

  const syncsOf = new Map<string, SyncRecord[]>()
  for (const sync of syncs.filter(({ replayed }) => !replayed)) {
    const others = syncsOf.get(sync.eventId)
    if (others) others.push(sync)
    else syncsOf.set(sync.eventId, [sync])
  }
  const eventOf = new Map<string, EventRecord>()
  for (const event of events) {
    // A doubled event is another check's: its id has its syncs once.
    if (eventOf.has(event.eventId)) continue
    eventOf.set(event.eventId, event)
    const own = syncsOf.get(event.eventId) ?? []
    if (own.length > 0) checkEvent(event, own, { registry, standing, found })
    else if (standing.every((version) => registry.match(version, event).length > 0)) {
      const missing = registry.match(standing.at(-1) ?? -1, event)
      for (const subscription of missing) found('sync-missing', at(event), `${event.eventId}.${subscription}`)
    }
  }
  for (const sync of syncs) {
    const event = eventOf.get(sync.eventId)
    if (!event) found('sync-without-event', at(sync), sync.syncId)
    else if (sync.replayed) checkReplayed(event, sync, registry, found)
  }
  for (const letter of lostSyncs) found('sync-dead', at(letter), letter.origin)
}

type Judging = { registry: Registry; standing: number[]; found: Found }

function checkEvent(event: EventRecord, syncs: SyncRecord[], { registry, standing, found }: Judging): void {
  const [first] = syncs as [SyncRecord]
  const version = first.registryOffset
  if (!registry.has(version)) {
    found('registry-version-unknown', ...syncs.map(at))
    return
  }
  if (version < (standing[0] ?? -1)) found('registry-version-old', at(event), ...syncs.map(at))
  if (syncs.some(({ registryOffset }) => registryOffset !== version))
    found('registry-versions-differ', at(event), ...syncs.map(at))

  const wanted = new Set(registry.match(version, event).map((subscription) => `${event.eventId}.${subscription}`))
  const seen = new Map<string, SyncRecord>()
  for (const sync of syncs) {
    const before = seen.get(sync.syncId)
    if (before) found('sync-doubled', at(before), at(sync), sync.syncId)
    else if (!wanted.has(sync.syncId)) found('sync-not-wanted', at(sync), at(event), sync.syncId)
    seen.set(sync.syncId, sync)
    if (isAltered(sync, event)) found('sync-altered', at(sync), at(event))
  }
  for (const syncId of wanted) if (!seen.has(syncId)) found('sync-missing', at(event), syncId)
}

function checkReplayed(event: EventRecord, sync: SyncRecord, registry: Registry, found: Found): void {
  if (!registry.has(sync.registryOffset)) found('registry-version-unknown', at(sync))
  else if (!registry.match(sync.registryOffset, event).some((subscription) => `${event.eventId}.${subscription}` === sync.syncId))
    found('sync-not-wanted', at(sync), at(event), sync.syncId)
  if (isAltered(sync, event)) found('sync-altered', at(sync), at(event))
}

const isAltered = (sync: SyncRecord, event: EventRecord): boolean =>
  sync.content !== event.content || sync.late !== event.late || sync.origin !== event.origin
