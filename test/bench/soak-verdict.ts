/** Whether what a soak sampled stayed flat. Pure. */
import { median } from './bench.ts'

export type Kind = 'memory' | 'handles' | 'lag' | 'latency'
/** `values` has one for each sample, null where there is none. */
export type Series = { name: string; kind: Kind; unit: string; values: (number | null)[] }
/** Medians of the thirds; `allowed` for the last. */
export type Verdict = { name: string; unit: string; first: number; middle: number; last: number; allowed: number; flat: boolean }

/**
 * The first third is for warming up: caches, compiled code, V8's heap. From then on nothing may grow: the median of the last third is at most that
 * of the middle one, times and plus this. Medians, because a sample may meet a garbage collection or a rebalance; a share of it, because the heap
 * breathes; and something absolute, because 3 may become 5 by chance. The medians of two thirds of half an hour are ten minutes apart: in a
 * process of 200 MiB with 30 handles, what leaks more than 1.5 MiB, or half a handle, a minute is found.
 */
const tolerance: Record<Kind, { times: number; plus: number }> = {
  memory: { times: 1.05, plus: 5 },
  handles: { times: 1.05, plus: 3 },
  lag: { times: 1.5, plus: 50 },
  latency: { times: 1.5, plus: 10 },
}

/** A third shorter than this says nothing about growth: such a run is not judged. */
const leastThirdMs = 60_000

export const isLongEnough = (lastedMs: number) => lastedMs / 3 >= leastThirdMs

export function judge({ name, kind, unit, values }: Series): Verdict {
  const third = Math.floor(values.length / 3)
  const medianOf = (from: number, to?: number) => median(values.slice(from, to).filter((value) => value !== null))
  const [first, middle, last] = [medianOf(0, third), medianOf(third, 2 * third), medianOf(2 * third)]
  const { times, plus } = tolerance[kind]
  const allowed = middle * times + plus
  // Without a sample there is no median, and what was not seen is not flat.
  return { name, unit, first, middle, last, allowed, flat: last <= allowed }
}
