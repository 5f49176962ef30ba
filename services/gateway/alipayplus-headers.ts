import { decodeBase64 } from './base64.ts'

/** The signed headers as received, and what the signature header says. */
export type SignedHeaders = {
  clientId: string
  requestTime: string
  /** As received, for the raw record. */
  signatureHeader: string
  keyVersion?: string
  signature: Buffer
}

/** Longer than any documented value several times over; what is longer is refused before anything is computed. */
export const maxLengths = { 'client-id': 128, 'request-time': 64, signature: 2048 }

/**
 * Reads the three signed headers (`providers.md` §2.2, §2.3). Undefined unless each is there exactly once, in printable ASCII, and the
 * signature header can be read. Looks at the raw headers: Node joins a repeated header into one value.
 */
export function readSignedHeaders(rawHeaders: readonly string[]): SignedHeaders | undefined {
  const clientId = only(rawHeaders, 'client-id')
  const requestTime = only(rawHeaders, 'request-time')
  const signatureHeader = only(rawHeaders, 'signature')
  if (!clientId || !requestTime || !signatureHeader) return undefined
  const parsed = parseSignatureHeader(signatureHeader)
  return parsed && { clientId, requestTime, signatureHeader, ...parsed }
}

function only(rawHeaders: readonly string[], name: keyof typeof maxLengths): string | undefined {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  const [value] = values
  return values.length === 1 && value && value.length <= maxLengths[name] && /^[ -~]+$/.test(value) ? value : undefined
}

/**
 * `algorithm=RSA256, keyVersion=1, signature=<value>`: any order, any case of the names, blanks anywhere around them; members
 * that nobody documented are passed over. The algorithm is not a choice: RSA256, written so, or nothing.
 */
export function parseSignatureHeader(header: string): { keyVersion?: string; signature: Buffer } | undefined {
  const members = new Map<string, string>()
  for (const part of header.split(',')) {
    const equals = part.indexOf('=')
    const name = part.slice(0, equals).trim().toLowerCase()
    if (equals < 0 || members.has(name)) return undefined
    members.set(name, part.slice(equals + 1).trim())
  }
  if (members.get('algorithm') !== 'RSA256') return undefined
  const signature = decodeSignature(members.get('signature') ?? '')
  if (!signature?.length) return undefined
  const keyVersion = members.get('keyversion')
  return keyVersion === undefined ? { signature } : { signature, keyVersion }
}

/**
 * Documented as base64url, shown as percent-encoded standard base64, sent by some as either of the two bare: all are taken, each in its
 * canonical spelling only. Percent-decoding happens once and leaves `+` alone (Java's URLDecoder would make it a blank).
 */
function decodeSignature(value: string): Buffer | undefined {
  try {
    return decodeBase64(decodeURIComponent(value), 'base64', 'base64url')
  } catch {
    return undefined
  }
}
