import { setTimeout as sleep } from 'node:timers/promises'

export type Pace = {
  /** How many records to write at once, so that a slow rate is even too. */
  atOnce: number
  /** Resolves when so many more may be written, or at once when aborted. */
  wait: (records: number) => Promise<void>
}

const mostAtOnce = 1_000
const piecesASecond = 10

/** At most `rate` records a second, over all partitions together; without a rate as fast as it goes. */
export function createPace(rate: number | undefined, signal: AbortSignal): Pace {
  if (rate === undefined) return { atOnce: mostAtOnce, wait: async () => {} }
  let next = performance.now()
  return {
    atOnce: Math.min(mostAtOnce, Math.max(1, Math.floor(rate / piecesASecond))),
    async wait(records) {
      const now = performance.now()
      const begin = Math.max(now, next)
      next = begin + (records / rate) * 1000
      if (begin > now) await sleep(begin - now, undefined, { signal }).catch(() => {})
    },
  }
}
