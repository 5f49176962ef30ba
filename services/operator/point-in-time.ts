import { InvalidArgumentError } from 'commander'

/** A point in time as the command line has it: `2h` ago, or a date or time with its zone. Milliseconds since 1970, given those of now. */
export type PointInTime = (now: number) => number

const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/

export function pointInTime(text: string): PointInTime {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count && unit) return (now) => now - Number(count) * (unitMs[unit] as number)
  const at = isoTime.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at))
    throw new InvalidArgumentError('A time is needed: 30m, 2h or 7d ago, 2026-01-31, or 2026-01-31T09:30:00Z.')
  return () => at
}

/** A length of time as the command line has it, in milliseconds. */
export function duration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  if (!count || !unit) throw new InvalidArgumentError('A duration is needed: 30m, 72h or 7d.')
  return Number(count) * (unitMs[unit] as number)
}
