import fc from 'fast-check'
import t from 'tap'
import { choosePartition } from '../../shared/kafka/choose-partition.ts'
import { kafkajs } from '../../shared/kafka/kafkajs.ts'

t.test("a key has the partition that Java's producers give it", async (t) => {
  // `murmur2` of Apache Kafka's UtilsTest: "21" → -973932308, "foobar" → -790332482, "a-little-bit-long-string" → -985981536.
  const hashes = { '21': -973_932_308, foobar: -790_332_482, 'a-little-bit-long-string': -985_981_536 }
  for (const [key, hash] of Object.entries(hashes)) t.equal(choosePartition(key, 100_003), (hash & 0x7fffffff) % 100_003, key)
})

t.test('and the one that kafkajs gives it', async () => {
  const partitioner = kafkajs.Partitioners.DefaultPartitioner()
  const byKafkajs = (key: string, partitions: number) => {
    const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, leader: 1 }))
    return partitioner({ topic: '', partitionMetadata: partitionMetadata as never, message: { key, value: null } })
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer({ min: 1, max: 200 }), (key, partitions) => {
      if (choosePartition(key, partitions) !== byKafkajs(key, partitions))
        throw new Error(`${JSON.stringify(key)} of ${partitions}`)
    }),
    { numRuns: 5_000 },
  )
})
