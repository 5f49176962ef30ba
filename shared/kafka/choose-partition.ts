/**
 * The partition of a key as Java's producers choose it (murmur2, seed 0x9747b28c), so that Java services can co-partition. kafkajs's own takes 5 µs
 * a key, in 64-bit arithmetic that it does not need; a test compares the two.
 */
export const choosePartition = (key: string, partitions: number): number => (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions

const m = 0x5bd1e995

function murmur2(data: Buffer): number {
  const whole = data.length & ~3
  let hash = 0x9747b28c ^ data.length
  for (let at = 0; at < whole; at += 4) {
    const word = Math.imul(data.readInt32LE(at), m)
    hash = Math.imul(hash, m) ^ Math.imul(word ^ (word >>> 24), m)
  }
  if (whole < data.length) {
    for (let at = whole; at < data.length; at++) hash ^= (data[at] as number) << (8 * (at - whole))
    hash = Math.imul(hash, m)
  }
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}
