import type { LookUp } from './look-up.ts'
import type { Found } from './problems.ts'
import { at, type EventRecord, type NormalizedRecord, type Run } from './run.ts'

/** The order of acceptance is kept from raw to normalized and, per token, to the public topic; a creation after its token's end is late. */
export function checkOrder(run: Run, look: LookUp, found: Found): void {
  checkRawOrder(run, look, found)
  const tokens = new Map<string, Accepted[]>()
  for (const event of run.events) {
    const normalized = look.normalizedOf(event.origin)
    if (!normalized) continue
    if (event.tokenRef === undefined) {
      if (event.late) found('late-without-cause', at(event))
      continue
    }
    const events = tokens.get(event.tokenRef)
    if (events) events.push({ event, normalized })
    else tokens.set(event.tokenRef, [{ event, normalized }])
  }
  for (const events of tokens.values()) checkToken(events, found)
}

type Accepted = { event: EventRecord; normalized: NormalizedRecord }
/** What ends a token: a cancellation, also by expiry. */
const ends = new Set(['token.canceled', 'token.expired'])

function checkToken(events: Accepted[], found: Found): void {
  let end: Accepted | undefined
  for (const accepted of events)
    if (ends.has(accepted.event.type) && (!end || accepted.normalized.offset < end.normalized.offset)) end = accepted

  let last: Accepted | undefined
  for (const accepted of events) {
    const { event, normalized } = accepted
    if (last && last.event.partition !== event.partition) found('token-apart', at(event), at(last.event))
    else if (last && last.normalized.offset > normalized.offset) found('token-order', at(last.event), at(event))
    last = accepted
    const late = event.type === 'token.created' && end !== undefined && end.normalized.offset < normalized.offset
    if (late && !event.late) found('late-missing', at(event), ...(end ? [at(end.event)] : []))
    if (!late && event.late) found('late-without-cause', at(event))
  }
}

/** A raw partition's records come to the normalized topic in their order; two raw topics may interleave. */
function checkRawOrder({ normalized }: Run, { rawAt }: LookUp, found: Found): void {
  const last = new Map<string, { offset: number; record: NormalizedRecord }>()
  for (const record of normalized) {
    const raw = rawAt.get(record.origin)
    if (!raw) continue
    const lane = `${raw.topic}/${raw.partition}`
    const before = last.get(lane)
    if (before && before.offset > raw.offset) found('raw-order', at(before.record), at(record))
    last.set(lane, { offset: raw.offset, record })
  }
}
