import { createReadStream } from 'node:fs'
import { linesOf } from './lines.ts'
import type { Attempt } from './run.ts'

const copies = new Set<unknown>(['first', 'identical', 're-signed', 'concurrent', 'conflict'])
const outcomes = new Set<unknown>(['acknowledged', 'call-again', 'refused', 'unanswered'])

/** The history that the load wrote: JSON lines, one per HTTP attempt. Throws at the first line that is none, and when there is no line at all. */
export async function readHistory(file: string): Promise<Attempt[]> {
  const attempts: Attempt[] = []
  await eachLine(file, (value) => attempts.push(toAttempt(value)))
  if (attempts.length === 0) throw new Error(`${file} has no attempt: nothing was sent, so nothing can be decided`)
  return attempts
}

/** Positions that another client read, as JSON lines {"topic","partition","offset"}: offsets by `topic/partition`. */
export async function readPositions(file: string): Promise<Map<string, number[]>> {
  const positions = new Map<string, number[]>()
  await eachLine(file, (value) => {
    const { topic, partition, offset } = value
    if (typeof topic !== 'string' || !Number.isInteger(partition) || !/^\d+$/.test(String(offset)))
      throw new Error('not {"topic","partition","offset"}')
    const key = `${topic}/${partition}`
    const offsets = positions.get(key)
    if (offsets) offsets.push(Number(offset))
    else positions.set(key, [Number(offset)])
  })
  return positions
}

type Fields = Record<string, unknown>

async function eachLine(file: string, onValue: (value: Fields) => void): Promise<void> {
  let number = 0
  for await (const lines of linesOf(createReadStream(file))) {
    for (const line of lines) {
      number++
      try {
        onValue(JSON.parse(line) as Fields)
      } catch (error) {
        throw new Error(`${file}, line ${number}: ${(error as Error).message}`)
      }
    }
  }
}

/** Only what the checks need: there may be hundreds of thousands. */
function toAttempt({ n, change, copy, odd, sha256, outcome }: Fields): Attempt {
  if (!Number.isInteger(n) || !Number.isInteger(change)) throw new Error('n and change must be whole numbers')
  if (!copies.has(copy)) throw new Error(`copy must be one of ${[...copies].join(', ')}`)
  if (typeof odd !== 'boolean') throw new Error('odd must be true or false')
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw new Error('sha256 must be 64 hex digits')
  if (!outcomes.has(outcome)) throw new Error(`outcome must be one of ${[...outcomes].join(', ')}`)
  return { n, change, copy, odd, sha256, outcome } as Attempt
}
