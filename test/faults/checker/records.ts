/** kcat's records as the checks want them; undefined where a record is not what its topic promises, or its headers say otherwise. */
import { hash } from 'node:crypto'
import type { Dumped } from './kcat.ts'
import type { DeadLetter, DuplicateRecord, EventRecord, NormalizedRecord, Place, SyncRecord } from './run.ts'

export const placeOf = ({ topic, partition, offset }: Dumped): Place => ({ topic, partition, offset })

/** A header that is there exactly once, and has a value; else "". */
export function headerOf({ headers = [] }: Dumped, name: string): string {
  const values = headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === name)
  return values.length === 1 ? (values[0] ?? '') : ''
}

const originOf = (dumped: Dumped) => headerOf(dumped, 'origin')
const eventIdPattern = /^[0-9a-f]{32}$/

type EventValue = {
  eventId: string
  type: string
  late: boolean
  provider: string
  merchantId?: string
  authClientId?: string
  token?: { ref: string }
  pspId?: string
  channel?: { code: string }
}

/** Everything that an event says but `late`, which only the deduplicator knows. Member order counts: an event is copied, not made anew. */
const contentOf = (event: EventValue): string => hash('sha1', JSON.stringify({ ...event, late: false }), 'base64')

function readEventValue(dumped: Dumped): EventValue | undefined {
  const event = parse<EventValue>(dumped.payload)
  if (!event || !eventIdPattern.test(event.eventId) || typeof event.late !== 'boolean') return undefined
  const named = headerOf(dumped, 'ce_id') === event.eventId && headerOf(dumped, 'ce_type') === event.type
  return named ? event : undefined
}

export function readNormalized(dumped: Dumped): NormalizedRecord | undefined {
  const event = readEventValue(dumped)
  return event && { ...placeOf(dumped), origin: originOf(dumped), eventId: event.eventId, content: contentOf(event) }
}

export function readEvent(dumped: Dumped): EventRecord | undefined {
  const event = readEventValue(dumped)
  if (!event) return undefined
  const { eventId, type, late, provider, merchantId, authClientId, token, pspId, channel } = event
  const facts = { type, provider, merchantId, authClientId, tokenRef: token?.ref, pspId, channelCode: channel?.code }
  return { ...placeOf(dumped), origin: originOf(dumped), eventId, late, content: contentOf(event), ...facts }
}

type DuplicateValue = { eventId: string; origin: string; position: string; holder: string; conflict: boolean }

export function readDuplicate(dumped: Dumped): DuplicateRecord | undefined {
  const value = parse<DuplicateValue>(dumped.payload)
  if (!value || typeof value.conflict !== 'boolean') return undefined
  const { eventId, origin: saidOrigin, position, holder, conflict } = value
  return { ...placeOf(dumped), origin: originOf(dumped), saidOrigin, eventId, position, holder, conflict }
}

export function readDeadLetter(dumped: Dumped, stage: DeadLetter['stage']): DeadLetter | undefined {
  if (headerOf(dumped, 'dlq-stage') !== stage) return undefined
  return { ...placeOf(dumped), origin: originOf(dumped), stage }
}

type SyncValue = { syncId: string; merchantId: string; subscriptionId: string; registryOffset: number; event: EventValue }

export function readSync(dumped: Dumped): SyncRecord | undefined {
  const sync = parse<SyncValue>(dumped.payload)
  if (!sync?.event || headerOf(dumped, 'ce_id') !== sync.syncId) return undefined
  const { syncId, merchantId, subscriptionId, registryOffset, event } = sync
  const { eventId, late } = event
  if (syncId !== `${eventId}.${merchantId}.${subscriptionId}` || !Number.isInteger(registryOffset)) return undefined
  const replayed = headerOf(dumped, 'replay-id') !== ''
  return {
    ...placeOf(dumped),
    origin: originOf(dumped),
    syncId,
    eventId,
    registryOffset,
    late,
    content: contentOf(event),
    replayed,
  }
}

function parse<T extends object>(text: string | null): T | undefined {
  try {
    const value = JSON.parse(text ?? '') as T | null
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
