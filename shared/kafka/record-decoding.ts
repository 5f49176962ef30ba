/**
 * Records of a fetch, decoded in one pass. kafkajs copies a record's headers anew for each of them, makes a Buffer of every value and adds offsets and
 * times as 64-bit objects: a third of what a stage without a step takes. Here header values are text, as a step wants them; all else is the same
 * (a test compares them). `KAFKAJS_ENCODING=true` switches this off, too. To be imported before kafkajs is loaded (`kafkajs.ts`).
 */
import { usesKafkajsEncoding } from './kafkajs-encoding.ts'
import { replace } from './replace.ts'

type Decoder = { buffer: Buffer; offset: number }
type BatchContext = {
  firstOffset: string
  firstTimestamp: string
  maxTimestamp?: string
  magicByte: number
  isControlBatch?: boolean
  timestampType?: number
}
type HeaderValue = string | null
type DecodedRecord = {
  magicByte: number
  attributes: number
  timestamp: string
  offset: string
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, HeaderValue | HeaderValue[]>
  isControlRecord: boolean
  batchContext: BatchContext
}
type DecodeRecord = (decoder: Decoder, context: BatchContext) => DecodedRecord

const logAppendTime = 1

replace(
  'kafkajs/src/protocol/recordBatch/record/v0/decoder',
  (original: DecodeRecord) => (decoder: Decoder, context: BatchContext) => {
    if (usesKafkajsEncoding()) return original(decoder, context)
    return decodeRecord(decoder.buffer, decoder.offset, context)
  },
)

function decodeRecord(buffer: Buffer, begin: number, context: BatchContext): DecodedRecord {
  let at = begin
  /** Zigzag, of any length up to 2^53. */
  function readVarInt(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = buffer[at++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }
  function readBytes(): Buffer | null {
    const length = readVarInt()
    if (length === -1) return null
    at += length
    return buffer.subarray(at - length, at)
  }
  function readText(): string | null {
    const length = readVarInt()
    if (length === -1) return null
    at += length
    return buffer.toString('utf8', at - length, at)
  }
  function readHeaders(): DecodedRecord['headers'] {
    const headers: DecodedRecord['headers'] = {}
    for (let left = readVarInt(); left > 0; left--) {
      const name = readText() as string
      const value = readText()
      headers[name] = Object.hasOwn(headers, name) ? [headers[name] as HeaderValue, value].flat() : value
    }
    return headers
  }

  const { firstOffset, firstTimestamp, maxTimestamp, magicByte, isControlBatch = false, timestampType } = context
  const attributes = buffer.readInt8(at++)
  const timestamp = Number(firstTimestamp) + readVarInt()
  const offset = Number(firstOffset) + readVarInt()
  return {
    magicByte,
    attributes,
    timestamp: timestampType === logAppendTime && maxTimestamp ? maxTimestamp : String(timestamp),
    offset: String(offset),
    key: readBytes(),
    value: readBytes(),
    headers: readHeaders(),
    isControlRecord: isControlBatch,
    batchContext: context,
  }
}
