/** What a benchmark hands to the report: figures beside ceilings that were measured in the same run, on the same machine. */
import type { Teardown } from '../support/topic-set.ts'

/** One figure, measured once per repeat. `ceiling` has as many values in the same unit, each measured beside the value of the same repeat. */
export type Figure = {
  /** Unique: `gateway/alipayplus/64`. */
  name: string
  what: string
  unit: string
  values: number[]
  ceiling?: { what: string; values: number[] }
  /** Microseconds of CPU per record of the process measured, by repeat: steadier than rates on a busy machine. */
  cpuUs?: number[]
  goals: Goal[]
  note?: string
}

/** A goal for the median of the values, or of the values divided by their ceilings. */
export type Goal = { of: 'value' | 'ratio'; is: 'least' | 'most'; limit: number }

/** Lines over numbers; `y` has a value, or null where there is none, for each `x`. */
export type Plot = {
  title: string
  x: { label: string; values: number[] }
  unit: string
  series: { name: string; y: (number | null)[] }[]
}

export type Measured = { figures: Figure[]; plots?: Plot[] }

/** What all benchmarks share. */
export type World = Teardown & {
  brokers: string
  redisUrl: string
  /** A folder of its own, for logs and keys. */
  dir: string
  /** How long a rate is measured. */
  seconds: number
  repeat: number
  /** How many records a stage drains. */
  records: number
  say: (line: string) => void
  /** A bar on a terminal; `total` in any unit. */
  progress: (what: string, total: number) => { advance: (done: number) => void; end: () => void }
}

export type Bench = { name: string; about: string; run: (world: World) => Promise<Measured> }

export const atLeast = (limit: number): Goal => ({ of: 'value', is: 'least', limit })
export const atMost = (limit: number): Goal => ({ of: 'value', is: 'most', limit })
export const ratioAtLeast = (limit: number): Goal => ({ of: 'ratio', is: 'least', limit })
export const ratioAtMost = (limit: number): Goal => ({ of: 'ratio', is: 'most', limit })

/** The middle value; of an even number the lower of the two in the middle. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/** The value below which this share of all lies (nearest rank). `sorted` is in rising order. */
export const percentile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN

/** Values over their ceilings; without a ceiling none. */
export const ratios = ({ values, ceiling }: Figure): number[] =>
  ceiling ? values.map((value, index) => value / (ceiling.values[index] as number)) : []

export function isReached(figure: Figure, { of, is, limit }: Goal): boolean {
  const found = median(of === 'value' ? figure.values : ratios(figure))
  return is === 'least' ? found >= limit : found <= limit
}
