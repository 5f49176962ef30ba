import t from 'tap'
import { assignSlots, checkSlots, overlappingSlots, slotOf } from '../../shared/kafka/slots.ts'

t.test('a slot goes to one member as a whole, over all topics', (t) => {
  const assignments = assignSlots(4, ['b', 'a', 'c'], { x: 12, y: 12 })
  const ownerOf = new Map<number, string>()
  for (const [member, topics] of assignments) {
    for (const partition of Object.values(topics).flat()) {
      const slot = slotOf(partition, 4)
      t.equal(ownerOf.get(slot) ?? member, member, `slot ${slot} has one owner`)
      ownerOf.set(slot, member)
    }
  }
  t.equal(ownerOf.size, 4)
  const given = [...assignments.values()].flatMap((topics) => topics.x ?? [])
  t.strictSame(
    given.sort((a, b) => a - b),
    Array.from({ length: 12 }, (_, n) => n),
    'every partition is given once',
  )
  t.end()
})

t.test('more members than slots: the rest wait with nothing', (t) => {
  const assignments = assignSlots(2, ['a', 'b', 'c'], { x: 4 })
  t.strictSame(assignments.get('c'), {})
  t.end()
})

t.test('slots that do not divide the partitions are refused with the numbers that do', (t) => {
  t.throws(() => checkSlots(5, 12), /Use one of 1, 2, 3, 4, 6, 12/)
  t.doesNotThrow(() => checkSlots(6, 12))
  t.end()
})

t.test('a new owner fences exactly the slots of other counts that share a partition with its own', (t) => {
  const partitions = 12
  const sharing = (a: { slot: number; slots: number }, b: { slot: number; slots: number }) =>
    Array.from({ length: partitions }, (_, n) => n).some((n) => n % a.slots === a.slot && n % b.slots === b.slot)
  for (const slots of [1, 2, 3, 4, 6, 12]) {
    for (let slot = 0; slot < slots; slot++) {
      const fenced = overlappingSlots(slot, slots, partitions).map((other) => `${other.slot}/${other.slots}`)
      const expected = [1, 2, 3, 4, 6, 12]
        .filter((count) => count !== slots)
        .flatMap((count) => Array.from({ length: count }, (_, other) => ({ slot: other, slots: count })))
        .filter((other) => sharing({ slot, slots }, other))
      t.strictSame(
        fenced,
        expected.map((other) => `${other.slot}/${other.slots}`),
        `slot ${slot} of ${slots}`,
      )
    }
  }
  t.end()
})
