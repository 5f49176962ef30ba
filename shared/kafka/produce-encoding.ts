/**
 * Produce requests, encoded in one buffer of exactly their size. kafkajs makes an encoder a record and copies each byte some eight times on its way
 * to the socket, computes CRC32C in JavaScript, and groups messages in quadratic time: most of what publishing costs. The bytes are the same
 * (a test compares them), and `KAFKAJS_ENCODING=true` switches it off. To be imported before kafkajs is loaded (`kafkajs.ts`).
 */
import { usesKafkajsEncoding } from './kafkajs-encoding.ts'
import { encodeProduce, type Message, type ProduceRequest } from './record-batch.ts'
import { replace } from './replace.ts'

type Request = {
  apiKey: number
  apiVersion: number
  apiName: string
  encode: () => Promise<Encoded>
  expectResponse?: () => boolean
}
/** What kafkajs's own encoder looks like from outside. */
type Encoded = { buffer: Buffer; buf: Buffer; size: () => number }

replace('kafkajs/src/protocol/requests/produce/v3/request', (original: (request: ProduceRequest) => Request) => {
  return (request: ProduceRequest): Request => {
    const made = original(request)
    if (request.compression) return made
    return { ...made, encode: async () => (usesKafkajsEncoding() ? made.encode() : encoded(encodeProduce(request, Date.now()))) }
  }
})

/** Size, api key, version, correlation id, client id: before what is copied once instead of twice. */
replace(
  'kafkajs/src/protocol/request',
  (original: (framed: { correlationId: number; clientId: string; request: Request }) => Promise<Encoded>) =>
    async (framed: { correlationId: number; clientId: string; request: Request }): Promise<Encoded> => {
      if (usesKafkajsEncoding()) return original(framed)
      const { correlationId, clientId, request } = framed
      const payload = (await request.encode()).buffer
      const id = Buffer.byteLength(clientId)
      const buffer = Buffer.allocUnsafe(14 + id + payload.length)
      buffer.writeInt32BE(buffer.length - 4, 0)
      buffer.writeInt16BE(request.apiKey, 4)
      buffer.writeInt16BE(request.apiVersion, 6)
      buffer.writeInt32BE(correlationId, 8)
      buffer.writeInt16BE(id, 12)
      buffer.write(clientId, 14)
      payload.copy(buffer, 14 + id)
      return encoded(buffer)
    },
)

type Grouping = {
  topic: string
  partitionMetadata: unknown[]
  messages: Message[]
  partitioner: (args: { topic: string; partitionMetadata: unknown[]; message: Message }) => number
}
replace('kafkajs/src/producer/groupMessagesPerPartition', () => (grouping: Grouping): Record<number, Message[]> => {
  const { topic, partitionMetadata, messages, partitioner } = grouping
  const groups: Record<number, Message[]> = {}
  if (partitionMetadata.length === 0) return groups
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message })
    const group = groups[partition]
    if (group) group.push(message)
    else groups[partition] = [message]
  }
  return groups
})

const encoded = (buffer: Buffer): Encoded => ({ buffer, buf: buffer, size: () => buffer.length })
