/**
 * Slots: a fixed group of partitions (`partition % slots`, over all source topics) that one member owns as a whole and processes in one
 * transaction. The unit of assignment, of transaction and of fencing are one, because kafkajs cannot fence by group generation.
 */
import { type Assignment, kafkajs, type PartitionAssigner } from './kafkajs.ts'

const { AssignerProtocol } = kafkajs

export const slotOf = (partition: number, slots: number) => partition % slots

/** Throws unless the slots share the partitions out evenly. */
export function checkSlots(slots: number, partitions: number): void {
  if (slots < 1 || partitions % slots !== 0) {
    const allowed = divisorsOf(partitions).join(', ')
    throw new Error(`SLOTS=${slots} does not divide the ${partitions} partitions of the source topics. Use one of ${allowed}`)
  }
}

/**
 * The slots of *other* slot counts that share a partition with this one. A zombie from before a change of the count may still
 * hold one of them, so a new owner fences them all.
 */
export function overlappingSlots(slot: number, slots: number, partitions: number): { slot: number; slots: number }[] {
  return divisorsOf(partitions)
    .filter((count) => count !== slots)
    .flatMap((count) => Array.from({ length: count }, (_, other) => ({ slot: other, slots: count })))
    .filter(
      (other) => slot % greatestCommonDivisor(slots, other.slots) === other.slot % greatestCommonDivisor(slots, other.slots),
    )
}

const divisorsOf = (n: number) => Array.from({ length: n }, (_, index) => index + 1).filter((divisor) => n % divisor === 0)
const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))

/** Which partitions each member gets: slot i to the (i mod members)-th member in the order of their ids. Pure. */
export function assignSlots(slots: number, members: string[], partitionsOf: Record<string, number>): Map<string, Assignment> {
  const sorted = [...members].sort()
  const assignments = new Map<string, Assignment>(sorted.map((member) => [member, {}]))
  for (const [topic, partitions] of Object.entries(partitionsOf)) {
    for (let partition = 0; partition < partitions; partition++) {
      const assignment = assignments.get(sorted[slotOf(partition, slots) % sorted.length] as string) as Assignment
      assignment[topic] = [...(assignment[topic] ?? []), partition]
    }
  }
  return assignments
}

/** The protocol's name carries the slot count: members that disagree about it are refused by the group itself. */
export function createSlotAssigner(slots: number): PartitionAssigner {
  return ({ cluster }) => ({
    name: `slots-${slots}`,
    version: 1,
    async assign({ members, topics }) {
      const partitionsOf = Object.fromEntries(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]))
      const assignments = assignSlots(
        slots,
        members.map((member) => member.memberId),
        partitionsOf,
      )
      return [...assignments].map(([memberId, assignment]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) }),
      }))
    },
    protocol({ topics }) {
      return {
        name: `slots-${slots}`,
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
      }
    },
  })
}
