import type { LookUp } from './look-up.ts'
import type { Found } from './problems.ts'
import { at, type DuplicateRecord, type NormalizedRecord, type Run } from './run.ts'

/** Each duplicate points to the normalized record that became the event of its id, which lies before it; a conflict is one exactly when content differs. */
export function checkDuplicates({ duplicates, events, normalized }: Run, look: LookUp, found: Found): void {
  const published = new Map<string, NormalizedRecord>()
  for (const { eventId, origin } of events) {
    const record = look.normalizedOf(origin)
    if (record && !published.has(eventId)) published.set(eventId, record)
  }
  const normalizedAt = new Map(normalized.map((record) => [at(record), record]))

  for (const duplicate of duplicates) {
    const own = normalizedAt.get(duplicate.position)
    if (!own || !describes(duplicate, own)) {
      found('duplicate-of-nothing', at(duplicate), duplicate.position)
      continue
    }
    const original = published.get(duplicate.eventId)
    if (!original || at(original) !== duplicate.holder) {
      found('wrong-holder', at(duplicate), duplicate.holder, ...(original ? [at(original)] : []))
      continue
    }
    if (original.partition !== own.partition || original.offset >= own.offset)
      found('holder-not-before', at(duplicate), duplicate.holder, duplicate.position)
    const [body, held] = [look.bodyOf(own.origin), look.bodyOf(original.origin)]
    if (!body || !held) continue
    const differs = body.conflict !== held.conflict
    if (differs && !duplicate.conflict) found('conflict-missing', at(duplicate), own.origin, original.origin)
    if (!differs && duplicate.conflict) found('conflict-without-cause', at(duplicate), own.origin, original.origin)
  }
}

const describes = ({ eventId, origin, saidOrigin }: DuplicateRecord, own: NormalizedRecord): boolean =>
  own.eventId === eventId && own.origin === origin && saidOrigin === origin
