/** What the deduplicator asks of Redis under full load: batches as the stage takes them, a fifth of the records copies of what is known. */
import { randomBytes, randomInt } from 'node:crypto'
import type { ClaimRequest } from '../../services/deduplicator/claims.ts'
import type { Occurrence } from '../../shared/deduplicate/occurrence.ts'

/** As the stage has it by default: the slots of one process work at the same time, each with a batch of all its partitions at once. */
export const partitions = 12
const slots = 2
export const batchRecords = 500
/** Every fifth record is a copy; every other new one is a creation, which asks for its token's cancellation too. */
const copyEvery = 5
const isCopy = (index: number) => index % copyEvery === 0
export const newPerBatch = batchRecords - batchRecords / copyEvery

export const hourMs = 60 * 60 * 1000
/** The default window and slack. */
export const life = { windowMs: 72 * hourMs, slackMs: 24 * hourMs }

/** The n-th claim that is known before the measurement: the bytes that known-claims.lua gives it. */
export function knownAt(number: number): { eventId: string; contentHash: string } {
  const digits = (number + 1).toString(16).padStart(8, '0')
  return { eventId: digits.repeat(4), contentHash: digits.repeat(4) }
}

/** Where each partition stands: the next offset, and the log time there. */
export type Place = { offset: number; logTime: number }

/** The next batch of a partition; moves its place. `known`: how many claims it has. */
export function nextBatch(partition: number, place: Place, known: number): ClaimRequest {
  const { offset: begin, logTime } = place
  const end = begin + batchRecords
  const occurrences = Array.from({ length: batchRecords }, (_, index): Occurrence => {
    const at = { offset: begin + index, timestamp: logTime + 1 + Math.floor(index / 100) }
    if (isCopy(index)) return { ...at, ...knownAt(randomInt(known)) }
    const fresh = { ...at, eventId: hex(), contentHash: hex() }
    return index % 2 === 0 ? { ...fresh, cancelId: hex() } : fresh
  })
  place.offset = end
  place.logTime = occurrences.at(-1)?.timestamp as number
  return { partition, begin, end, logTime, occurrences }
}

/** The new ids of a batch. */
export const newIds = ({ occurrences }: ClaimRequest) =>
  occurrences.filter((_, index) => !isCopy(index)).map(({ eventId }) => eventId as string)

const hex = () => randomBytes(16).toString('hex')

/** All at once as the stage has them: slots side by side, in each one round after the other, in a round all partitions. */
export async function asTheStage<Batch, Answer>(rounds: Batch[][], ask: (batch: Batch) => Promise<Answer>): Promise<Answer[]> {
  const ofSlot = async (slot: number) => {
    const answers: Answer[] = []
    for (const round of rounds) {
      answers.push(...(await Promise.all(round.filter((_, partition) => partition % slots === slot).map(ask))))
    }
    return answers
  }
  return (await Promise.all(Array.from({ length: slots }, (_, slot) => ofSlot(slot)))).flat()
}
