/** Kafka frames as a client and a broker write them, for tests of what reads them. */
import { type EndTxn, endTxnKey } from './kafka-frames.ts'

const int16 = (value: number) => Buffer.from([value >> 8, value & 0xff])
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const string = (text: string) => Buffer.concat([int16(text.length), Buffer.from(text)])
const compactString = (text: string) => Buffer.concat([Buffer.from([text.length + 1]), Buffer.from(text)])
const noTags = Buffer.from([0])

export const frameOf = (content: Buffer): Buffer => Buffer.concat([int32(content.length), content])

type Header = { apiKey: number; apiVersion: number; correlationId: number; clientId: string }

export const requestFrame = ({ apiKey, apiVersion, correlationId, clientId }: Header, body: Buffer): Buffer =>
  frameOf(Buffer.concat([int16(apiKey), int16(apiVersion), int32(correlationId), string(clientId), body]))

export function endTxnFrame(endTxn: EndTxn, header: Partial<Header> = {}): Buffer {
  const { transactionalId, producerId, producerEpoch, committed } = endTxn
  const { apiVersion = 1, correlationId = 1, clientId = 'normalizer' } = header
  const id = apiVersion >= 3 ? [noTags, compactString(transactionalId)] : [string(transactionalId)]
  const body = [...id, int64(producerId), int16(producerEpoch), Buffer.from([committed ? 1 : 0])]
  return requestFrame({ apiKey: endTxnKey, apiVersion, correlationId, clientId }, Buffer.concat(body))
}

export function answerFrame(correlationId: number, errorCode: number, { apiVersion = 1 } = {}): Buffer {
  const tags = apiVersion >= 3 ? [noTags] : []
  return frameOf(Buffer.concat([int32(correlationId), ...tags, int32(0), int16(errorCode)]))
}
