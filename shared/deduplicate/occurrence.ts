import { header } from '../contracts/headers.ts'
import type { SourceRecord } from '../stage/outcome.ts'

/** One record as the claims see it. `eventId` undefined: it holds no event, only a time. */
export type Occurrence = { offset: number; timestamp: number; eventId?: string; contentHash?: string; cancelId?: string }

const hex = /^[0-9a-f]{32}$/

/** What the claims need of a record of the normalized topic. Without a proper id or hash it only counts for the log time. */
export function occurrenceOf({ offset, timestamp, headers, value }: SourceRecord): Occurrence {
  const [eventId, contentHash, cancelId] = [headers[header.id], headers[header.contentHash], headers[header.cancelId]]
  if (!value || !eventId || !hex.test(eventId) || !contentHash || !hex.test(contentHash)) return { offset, timestamp }
  const occurrence = { offset, timestamp, eventId, contentHash }
  return cancelId && hex.test(cancelId) ? { ...occurrence, cancelId } : occurrence
}
