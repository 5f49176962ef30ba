/** Building blocks of the Alipay+ cases: a valid request, and ways to change one thing about it. */
import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import { signAlipayplus } from '../simulator/alipayplus-wire.ts'
import type { HttpRequest } from '../simulator/http.ts'
import type { Style } from '../simulator/notification.ts'
import { upperHex } from '../simulator/random.ts'
import type { AlipayplusSender } from '../simulator/senders.ts'
import { documentedStyle } from '../simulator/spelling.ts'
import type { Kit } from './case.ts'

export type Parts = {
  sender?: AlipayplusSender
  fields?: Fields
  /** The body's bytes, instead of the fields. */
  body?: string | Buffer
  style?: Partial<Style>
  /** Milliseconds since 1970, or the text of the header itself. */
  at?: number
}

/** The fields of a cancellation: the shortest notification with a token of its own. */
export function cancellation(kit: Kit, sender: AlipayplusSender, more: Fields = {}): Fields {
  const merchant = sender.merchants[0]
  return {
    authorizationNotifyType: 'TOKEN_CANCELED',
    authClientId: merchant?.authClientId,
    ...(merchant?.referenceMerchantId ? { referenceMerchantId: merchant.referenceMerchantId } : {}),
    accessToken: `2810100${kit.random.text(upperHex, 40)}`,
    tokenCancelSource: 'PSP',
    acquirerId: '1021234567891230001',
    pspId: '1021234567891230002',
    ...more,
  }
}

/** A request that must be acknowledged, unless the parts say otherwise. */
export function valid(kit: Kit, parts: Parts = {}): HttpRequest {
  const { sender = kit.alipayplus.active, at = kit.now } = parts
  const body = parts.body ?? JSON.stringify(parts.fields ?? cancellation(kit, sender))
  return signAlipayplus(sender, Buffer.from(body), { ...documentedStyle, ...parts.style }, at)
}

const is = (name: string) => (header: [string, string]) => header[0].toLowerCase() === name.toLowerCase()

export const headerOf = ({ headers }: HttpRequest, name: string): string => headers.find(is(name))?.[1] ?? ''

/** The same request with a header's value changed; `undefined` leaves the header out. */
export function withHeader(request: HttpRequest, name: string, change: (value: string) => string | undefined): HttpRequest {
  const headers = request.headers.flatMap(([given, value]): [string, string][] => {
    if (!is(name)([given, value])) return [[given, value]]
    const changed = change(value)
    return changed === undefined ? [] : [[given, changed]]
  })
  return { ...request, headers }
}

/** The base64 inside a documented `Signature` header, decoded from percent signs. */
export const signatureOf = (request: HttpRequest): string =>
  decodeURIComponent(/signature=([^,\s]*)$/.exec(headerOf(request, 'Signature'))?.[1] ?? '')

/** The same request with another text in the place of the signature's value. */
export const withSignature = (request: HttpRequest, change: (base64: string) => string): HttpRequest =>
  withHeader(request, 'Signature', (value) => value.replace(/signature=[^,\s]*$/, `signature=${change(signatureOf(request))}`))
