/** The body of a produce request, written once into a buffer of exactly its size. Pure. */
import { crc32c } from '@node-rs/crc32'

type Text = string | Buffer
export type Message = {
  partition?: number
  key?: Text | null
  value: Text | null
  timestamp?: string | null
  headers?: Record<string, Text | Text[] | null | undefined>
}
type Long = { toString: () => string }
export type ProduceRequest = {
  acks: number
  timeout: number
  transactionalId?: string | null
  producerId?: Long | string | number
  producerEpoch?: number
  compression?: number
  topicData: { topic: string; partitions: { partition: number; messages: Message[]; firstSequence?: number }[] }[]
}
const batchOverheadBytes = 61
const transactionalMask = 16
const magic = 2

/** The body of a produce request, version 3 to 7 (https://kafka.apache.org/protocol#The_Messages_Produce). */
export function encodeProduce(request: ProduceRequest, now: number): Buffer {
  const { acks, timeout, transactionalId = null, topicData } = request
  const topics = topicData.map(({ topic, partitions }) => ({ topic, batches: partitions.map((entry) => measure(entry, now)) }))
  const size = topics.reduce(
    (sum, { topic, batches }) =>
      sum + 6 + Buffer.byteLength(topic) + batches.reduce((bytes, batch) => bytes + 8 + batchOverheadBytes + batch.bytes, 0),
    12 + (transactionalId === null ? 0 : Buffer.byteLength(transactionalId)),
  )
  const buffer = Buffer.allocUnsafe(size)
  let at = writeString(buffer, 0, transactionalId)
  at = buffer.writeInt16BE(acks, at)
  at = buffer.writeInt32BE(timeout, at)
  at = buffer.writeInt32BE(topics.length, at)
  for (const { topic, batches } of topics) {
    at = writeString(buffer, at, topic)
    at = buffer.writeInt32BE(batches.length, at)
    for (const batch of batches) at = writeBatch(buffer, at, batch, request)
  }
  return buffer
}

type Measured = {
  partition: number
  firstSequence: number
  messages: Message[]
  deltas: number[]
  /** Of each record, without its own length. */
  sizes: number[]
  bytes: number
  first: number
  last: number
}

/** How long each record will be, before any is written. */
function measure(
  { partition, messages, firstSequence = 0 }: ProduceRequest['topicData'][number]['partitions'][number],
  now: number,
): Measured {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { timestamp } of messages) {
    if (timestamp == null) continue
    first = Math.min(first, Number(timestamp))
    last = Math.max(last, Number(timestamp))
  }
  if (last < first) [first, last] = [now, now]
  const deltas: number[] = []
  const sizes: number[] = []
  let bytes = 0
  messages.forEach(({ key, value, timestamp, headers }, index) => {
    const delta = Number(timestamp || now) - first
    let size = 1 + sizeOfVarint(delta) + sizeOfVarint(index) + sizeOfBytes(key) + sizeOfBytes(value)
    let count = 0
    for (const name in headers) {
      for (const one of valuesOf(headers[name])) {
        count++
        size += sizeOfBytes(name) + sizeOfBytes(one)
      }
    }
    size += sizeOfVarint(count)
    deltas.push(delta)
    sizes.push(size)
    bytes += sizeOfVarint(size) + size
  })
  return { partition, firstSequence, messages, deltas, sizes, bytes, first, last }
}

/** A record batch of magic 2 (https://kafka.apache.org/documentation/#recordbatch), uncompressed. */
function writeBatch(buffer: Buffer, begin: number, batch: Measured, request: ProduceRequest): number {
  const { partition, firstSequence, messages, deltas, sizes, bytes, first, last } = batch
  const { transactionalId, producerId = -1, producerEpoch = 0 } = request
  const size = batchOverheadBytes + bytes
  let at = buffer.writeInt32BE(partition, begin)
  at = buffer.writeInt32BE(size, at)
  at = buffer.writeBigInt64BE(0n, at)
  at = buffer.writeInt32BE(size - 12, at)
  at = buffer.writeInt32BE(0, at)
  at = buffer.writeInt8(magic, at)
  const checksumAt = at
  at += 4
  at = buffer.writeInt16BE(transactionalId ? transactionalMask : 0, at)
  at = buffer.writeInt32BE(messages.length - 1, at)
  at = buffer.writeBigInt64BE(BigInt(first), at)
  at = buffer.writeBigInt64BE(BigInt(last), at)
  at = buffer.writeBigInt64BE(BigInt(producerId.toString()), at)
  at = buffer.writeInt16BE(producerEpoch, at)
  at = buffer.writeInt32BE(firstSequence, at)
  at = buffer.writeInt32BE(messages.length, at)
  for (let index = 0; index < messages.length; index++) {
    at = writeVarint(buffer, at, sizes[index] as number)
    at = writeRecord(buffer, at, messages[index] as Message, deltas[index] as number, index)
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(checksumAt + 4, at)), checksumAt)
  return at
}

function writeRecord(buffer: Buffer, begin: number, { key, value, headers }: Message, delta: number, index: number): number {
  let at = buffer.writeInt8(0, begin)
  at = writeVarint(buffer, at, delta)
  at = writeVarint(buffer, at, index)
  at = writeBytes(buffer, at, key)
  at = writeBytes(buffer, at, value)
  let count = 0
  for (const name in headers) count += valuesOf(headers[name]).length
  at = writeVarint(buffer, at, count)
  for (const name in headers) {
    for (const one of valuesOf(headers[name])) {
      at = writeBytes(buffer, at, name)
      at = writeBytes(buffer, at, one)
    }
  }
  return at
}

const valuesOf = (value: Text | Text[] | null | undefined): (Text | null | undefined)[] =>
  Array.isArray(value) ? value : [value]

const sizeOfBytes = (value: Text | null | undefined): number => {
  if (value == null) return 1
  const length = Buffer.byteLength(value)
  return sizeOfVarint(length) + length
}

function writeBytes(buffer: Buffer, at: number, value: Text | null | undefined): number {
  if (value == null) return writeVarint(buffer, at, -1)
  const after = writeVarint(buffer, at, Buffer.byteLength(value))
  if (typeof value === 'string') return after + buffer.write(value, after)
  return after + value.copy(buffer, after)
}

function writeString(buffer: Buffer, at: number, value: string | null): number {
  if (value === null) return buffer.writeInt16BE(-1, at)
  const after = buffer.writeInt16BE(Buffer.byteLength(value), at)
  return after + buffer.write(value, after)
}

/** Zigzag, for whole numbers up to 2^52 either way. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

function sizeOfVarint(value: number): number {
  let rest = zigzag(value)
  let bytes = 1
  for (; rest >= 0x80; bytes++) rest = Math.floor(rest / 0x80)
  return bytes
}

function writeVarint(buffer: Buffer, begin: number, value: number): number {
  let rest = zigzag(value)
  let at = begin
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest % 0x80) | 0x80
  buffer[at++] = rest
  return at
}
