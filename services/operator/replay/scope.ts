import type { ReplayRange, ReplaySource } from './selection.ts'

/** A selection as the audit trail keeps it, so that a replay can be gone on with. All that is given must hold for a record. */
export type ReplayScope = {
  source: ReplaySource
  ranges: ReplayRange[]
  /** Accepted at or after, and before: milliseconds since 1970. */
  since?: number | undefined
  until?: number | undefined
  /** The token's ref. */
  token?: string | undefined
  /** Merchant id: events that name it, or one of its auth clients. */
  merchant?: string | undefined
  /** Positions of raw records: those of dead letters. */
  only?: string[] | undefined
}

export const whereOf = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}/${partition}`

export const offsetsIn = (ranges: ReplayRange[]): number => ranges.reduce((sum, { from, to }) => sum + to - from, 0)

/** What is left of ranges when all before these offsets is done. Pure. */
export const remaining = (ranges: ReplayRange[], done: Record<string, number>): ReplayRange[] =>
  ranges
    .map((range) => ({ ...range, from: Math.max(range.from, done[whereOf(range)] ?? range.from) }))
    .filter(({ from, to }) => from < to)

/** `1041` of `topic/3/1041`, by `topic/3`. Pure. */
export function offsetsByPartition(positions: string[]): Map<string, Set<number>> {
  const sets = new Map<string, Set<number>>()
  for (const position of positions) addPosition(sets, position)
  return sets
}

export function addPosition(sets: Map<string, Set<number>>, position: string): void {
  const end = position.lastIndexOf('/')
  const where = position.slice(0, end)
  const set = sets.get(where) ?? new Set()
  sets.set(where, set.add(Number(position.slice(end + 1))))
}
