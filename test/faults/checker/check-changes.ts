import type { LookUp } from './look-up.ts'
import type { Found } from './problems.ts'
import { at, type EventRecord, type NormalizedRecord, type Run } from './run.ts'

/** Exactly one event per real change that was kept, of its first copy in the order of the normalized topic; what is odd ends as dead letters. */
export function checkChanges(run: Run, look: LookUp, found: Found): void {
  checkEventIds(run, look, found)
  const firsts = firstCopies(run, look, found)
  const events = new Map<number, EventRecord[]>()
  for (const event of run.events) {
    const body = look.bodyOf(event.origin)
    if (!body) continue
    if (body.odd) found('odd-not-dead', at(event), event.origin)
    else events.set(body.change, [...(events.get(body.change) ?? []), event])
    const normalized = look.normalizedOf(event.origin)
    if (normalized && (normalized.content !== event.content || normalized.eventId !== event.eventId))
      found('event-altered', at(event), at(normalized))
  }
  for (const duplicate of run.duplicates)
    if (look.bodyOf(duplicate.origin)?.odd) found('odd-not-dead', at(duplicate), duplicate.origin)
  for (const letter of run.deadLetters)
    if (look.bodyOf(letter.origin)?.odd === false) found('dead-not-odd', at(letter), letter.origin)

  for (const [change, raw] of keptChanges(run, look)) {
    const [event, ...more] = events.get(change) ?? []
    if (!event) found('change-without-event', ...raw)
    else if (more.length > 0) found('change-with-events', at(event), ...more.map(at))
    const first = firsts.get(change)
    if (event && first && more.length === 0 && first.origin !== event.origin) found('event-not-first', at(event), at(first))
  }
}

/** Positions of the raw records of each change that can be understood. */
function keptChanges({ raw }: Run, { bodies }: LookUp): Map<number, string[]> {
  const kept = new Map<number, string[]>()
  for (const record of raw) {
    const body = bodies.get(record.sha256 ?? '')
    if (!body || body.odd) continue
    const positions = kept.get(body.change)
    if (positions) positions.push(at(record))
    else kept.set(body.change, [at(record)])
  }
  return kept
}

/** The copy of each change that was normalized first. Copies meet on one partition; elsewhere there is no first. */
function firstCopies({ normalized }: Run, { bodyOf }: LookUp, found: Found): Map<number, NormalizedRecord> {
  const firsts = new Map<number, NormalizedRecord>()
  for (const record of normalized) {
    const body = bodyOf(record.origin)
    if (!body) continue
    const first = firsts.get(body.change)
    if (first && first.partition !== record.partition) found('change-apart', at(record), at(first))
    if (!first || (first.partition === record.partition && record.offset < first.offset)) firsts.set(body.change, record)
  }
  return firsts
}

/** Change and event id are one: neither has two of the other. */
function checkEventIds({ normalized }: Run, { bodyOf }: LookUp, found: Found): void {
  const idOf = new Map<number, NormalizedRecord>()
  const changeOf = new Map<string, { change: number; record: NormalizedRecord }>()
  for (const record of normalized) {
    const change = bodyOf(record.origin)?.change
    if (change === undefined) continue
    const other = idOf.get(change)
    if (other && other.eventId !== record.eventId) found('event-ids-of-change', at(record), at(other))
    if (!other) idOf.set(change, record)
    const known = changeOf.get(record.eventId)
    if (known && known.change !== change) found('changes-of-event-id', at(record), at(known.record))
    if (!known) changeOf.set(record.eventId, { change, record })
  }
}
