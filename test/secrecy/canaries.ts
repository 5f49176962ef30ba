import { randomInt } from 'node:crypto'

export type Canaries = {
  /** A unique random secret, under a name to report it by. */
  make: (name: string) => string
  /** The same of letters and digits only, for places with an alphabet. */
  makePlain: (name: string) => string
  /** What every secret of this run begins and ends with: whoever finds neither finds not even a part of one. */
  marks: Buffer[]
  made: Map<string, string>
}

const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'
const random = (length: number) => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')

/** Short enough to be found in a secret that was cut after a few characters; 47 random bits each. */
const markLength = 8
/** Every encoding writes these differently. */
const awkward = '"+/é'

export function createCanaries(): Canaries {
  const [head, tail] = [random(markLength), random(markLength)]
  const made = new Map<string, string>()
  const note = (name: string, value: string) => {
    made.set(`${name} #${made.size + 1}`, value)
    return value
  }
  return {
    make: (name) => note(name, `${head}${random(8)}${awkward}${tail}`),
    makePlain: (name) => note(name, `${head}${random(12)}${tail}`),
    marks: [Buffer.from(head), Buffer.from(tail)],
    made,
  }
}
