/** As much of Kafka's protocol as the proxy reads. https://kafka.apache.org/protocol#protocol_messages */

/** Cuts a stream into frames (4 bytes of length, then as many), wherever its chunks begin and end. Frames keep their length. */
export function createFrameSplitter(): (chunk: Buffer) => Buffer[] {
  let kept: Buffer[] = []
  let keptBytes = 0
  let neededBytes = 4
  return (chunk) => {
    kept.push(chunk)
    keptBytes += chunk.length
    if (keptBytes < neededBytes) return []
    let rest = Buffer.concat(kept)
    const frames: Buffer[] = []
    for (;;) {
      neededBytes = rest.length < 4 ? 4 : 4 + rest.readUInt32BE(0)
      if (rest.length < neededBytes) break
      frames.push(rest.subarray(0, neededBytes))
      rest = rest.subarray(neededBytes)
    }
    kept = rest.length > 0 ? [rest] : []
    keptBytes = rest.length
    return frames
  }
}

export const apiKeyOf = (request: Buffer): number => request.readInt16BE(4)
export const correlationIdOf = (answer: Buffer): number => answer.readInt32BE(4)

export type Request = { apiKey: number; apiVersion: number; correlationId: number; clientId: string; body: Buffer }

/** A request's header; what follows the client id (in flexible versions also the header's tagged fields) is the body. */
export function readRequest(frame: Buffer): Request {
  const clientIdBytes = Math.max(0, frame.readInt16BE(12))
  const bodyAt = 14 + clientIdBytes
  return {
    apiKey: apiKeyOf(frame),
    apiVersion: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
    clientId: frame.toString('utf8', 14, bodyAt),
    body: frame.subarray(bodyAt),
  }
}

export const endTxnKey = 26
/** From this version on headers have tagged fields, and strings a length of one byte where it is short. */
const flexibleEndTxn = 3

export type EndTxn = { transactionalId: string; producerId: bigint; producerEpoch: number; committed: boolean }

export function readEndTxn({ apiVersion, body }: Request): EndTxn {
  const flexible = apiVersion >= flexibleEndTxn
  // No client sends tagged fields in this header, and a transactional id of 127 bytes or more is none of ours.
  const idAt = 2
  const idBytes = flexible ? body.readUInt8(1) - 1 : body.readInt16BE(0)
  const restAt = idAt + idBytes
  return {
    transactionalId: body.toString('utf8', idAt, restAt),
    producerId: body.readBigInt64BE(restAt),
    producerEpoch: body.readInt16BE(restAt + 8),
    committed: body.readInt8(restAt + 10) !== 0,
  }
}

/** 0: the transaction has ended so. 47, 90: fenced. 48: the transaction is in another state. https://kafka.apache.org/protocol#protocol_error_codes */
export function endTxnErrorCode(apiVersion: number, answer: Buffer): number {
  const throttleTimeAt = apiVersion >= flexibleEndTxn ? 9 : 8
  return answer.readInt16BE(throttleTimeAt + 4)
}
