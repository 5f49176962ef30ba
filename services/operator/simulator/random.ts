import { createHash } from 'node:crypto'

/** A stream of choices that is the same for the same seed, on every machine and Node version. Not for secrets. */
export type Random = {
  /** A whole number from `min` to `max`, both included. */
  integer: (min: number, max: number) => number
  chance: (share: number) => boolean
  pick: <T>(list: readonly T[]) => T
  /** The same members in another order. */
  shuffle: <T>(list: readonly T[]) => T[]
  text: (alphabet: string, length: number) => string
}

/** sfc32 (Chris Doty-Humphrey's small fast counting generator), its state from a SHA-256 of the seed. */
export function createRandom(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest()
  let [a, b, c, counter] = [digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), 1]
  const next = (): number => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + result
    return (result >>> 0) / 2 ** 32
  }
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  const pick = <T>(list: readonly T[]): T => {
    if (list.length === 0) throw new Error('Nothing to pick from')
    return list[integer(0, list.length - 1)] as T
  }
  return {
    integer,
    pick,
    chance: (share) => next() < share,
    shuffle(list) {
      const shuffled = [...list]
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = integer(0, last)
        const moved = shuffled[last] as (typeof list)[number]
        shuffled[last] = shuffled[other] as (typeof list)[number]
        shuffled[other] = moved
      }
      return shuffled
    },
    text: (alphabet, length) => Array.from({ length }, () => alphabet[integer(0, alphabet.length - 1)]).join(''),
  }
}

export const digits = '0123456789'
export const upperHex = '0123456789ABCDEF'
export const upperAlphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
