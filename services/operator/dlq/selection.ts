/** Which dead letters a command is about. Pure. */
import { type Position, parsePosition, type StageName, stageNames, type Topics } from '../../../shared/contracts/topics.ts'
import { UsageError } from '../answer.ts'
import type { PointInTime } from '../point-in-time.ts'
import { type DeadLetter, inOrder, type Place, placeOf } from './dead-letter.ts'

/** As the command line has it. */
export type SelectionOptions = {
  stage?: StageName
  reason?: string
  since?: PointInTime
  until?: PointInTime
  key?: string
  partition?: number
  from?: number
  to?: number
  after?: string
}

/** Times are milliseconds since 1970; `from` and `to` are the first and the last offset; `positions` absent: any. */
export type Selection = Omit<SelectionOptions, 'stage' | 'since' | 'until' | 'after'> & {
  stages: StageName[]
  since?: number
  until?: number
  after?: Place
  positions?: Place[]
}

/** Throws UsageError for what is no position of a dead letter. */
export function createSelection(options: SelectionOptions, positions: string[], topics: Topics, now: number): Selection {
  const { stage, since, until, after, ...same } = options
  if (same.partition === undefined && (same.from !== undefined || same.to !== undefined))
    throw new UsageError('--from and --to are offsets of one partition: give --partition too')
  const places = positions.map((text) => placeAt(text, topics))
  const named = stageNames.filter((name) => places.some((place) => place.stage === name))
  return {
    ...same,
    stages: stage ? [stage] : places.length > 0 ? named : [...stageNames],
    ...(since !== undefined && { since: since(now) }),
    ...(until !== undefined && { until: until(now) }),
    ...(after !== undefined && { after: placeAt(after, topics) }),
    ...(places.length > 0 && { positions: places }),
  }
}

export function matches(letter: DeadLetter, selection: Selection): boolean {
  const { reason, key, since, until, after, positions } = selection
  const place = placeOf(letter)
  const at = Date.parse(letter.failedAt)
  return (
    isWithin(place, selection) &&
    (reason === undefined || letter.reason === reason) &&
    (key === undefined || letter.record.key?.toString('utf8') === key) &&
    (since === undefined || at >= since) &&
    (until === undefined || at < until) &&
    (after === undefined || inOrder(place, after) > 0) &&
    (positions === undefined || positions.some((wanted) => inOrder(wanted, place) === 0))
  )
}

const isWithin = ({ partition, offset }: Place, selection: Selection): boolean =>
  (selection.partition === undefined || selection.partition === partition) &&
  offset >= (selection.from ?? 0) &&
  offset <= (selection.to ?? Number.POSITIVE_INFINITY)

/** The offsets of a partition that can hold anything selected: from the first up to, not including, the second. */
export function rangeOf(
  { partition, from, to, after, positions }: Selection,
  of: { stage: StageName; partition: number; low: number; high: number },
): [number, number] {
  const nothing: [number, number] = [of.low, of.low]
  if (partition !== undefined && partition !== of.partition) return nothing
  const named = positions?.filter((place) => place.stage === of.stage && place.partition === of.partition)
  if (named?.length === 0) return nothing
  if (after && inOrder({ ...of, offset: Number.POSITIVE_INFINITY }, after) < 0) return nothing
  const offsets = named?.map(({ offset }) => offset)
  const behind = after?.stage === of.stage && after.partition === of.partition ? after.offset + 1 : 0
  const first = Math.max(of.low, from ?? 0, behind, offsets ? Math.min(...offsets) : 0)
  const last = Math.min(of.high - 1, to ?? of.high, offsets ? Math.max(...offsets) : of.high)
  return last < first ? nothing : [first, last + 1]
}

function placeAt(text: string, topics: Topics): Place {
  const position = parsePosition(text)
  const stage = stageNames.find((name) => topics.deadLetters[name] === position?.topic)
  if (stage) return { stage, partition: (position as Position).partition, offset: Number((position as Position).offset) }
  throw new UsageError(`${text} is no position of a dead letter, such as ${topics.deadLetters.normalizer}/0/17`)
}
