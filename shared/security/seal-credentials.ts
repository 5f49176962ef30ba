/**
 * Credentials and personal fields inside an event: JWE `dir` / `A256GCM` with a synthetic IV, so that the same input gives the same
 * bytes (P8). The context binds provider, account and event id: it does not open as another event's or account's.
 */
import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import type { Provider } from '../contracts/topics.ts'
import { decrypt, encodeHeader, encrypt, parse } from './jwe.ts'
import { type KeyRing, keyAt } from './keys.ts'
import { UnknownKeyError } from './seal-raw.ts'

/** What is sealed: only what was received is present. */
export type Credentials = {
  accessToken?: string
  refreshToken?: string
  authCode?: string
  authState?: string
  userId?: string
  customerId?: string
  userLoginId?: string
}

export type CredentialsContext = { provider: Provider; account: string; eventId: string }
const contextOf = ({ provider, account, eventId }: CredentialsContext) => ['credentials', provider, account, eventId]

/**
 * Rotate before 2^32 seals under one key: the IV is 96 bits of an HMAC over kid, additional data and plaintext, under a key of its own
 * (HKDF of the content key), so different input meets the same IV only by chance.
 */
export function createCredentialSealer(ring: KeyRing) {
  const ivKeys = new Map<string, Buffer>(ring.keys.map(({ kid, key }) => [kid, ivKey(key)]))
  return {
    /** `at`: the raw record's timestamp (ms); it picks the key. */
    seal(context: CredentialsContext, at: number, credentials: Credentials): string {
      const { kid, key } = keyAt(ring, at)
      const header = encodeHeader({ alg: 'dir', enc: 'A256GCM', kid, ctx: contextOf(context) })
      const plaintext = Buffer.from(JSON.stringify(credentials))
      const iv = createHmac('sha256', ivKeys.get(kid) as Buffer)
        .update(JSON.stringify([kid, header]))
        .update(plaintext)
        .digest()
        .subarray(0, 12)
      return encrypt(header, '', key, iv, plaintext).toString('latin1')
    },
  }
}
export type CredentialSealer = ReturnType<typeof createCredentialSealer>

const ivKey = (key: KeyObject) => Buffer.from(hkdfSync('sha256', key.export(), '', 'credentials synthetic iv', 32))

/** Opens `sealed` of a TokenEvent. Undefined: altered, or another event's. Throws UnknownKeyError for an unknown kid. */
export function openCredentials(ring: KeyRing, context: CredentialsContext, sealed: string): Credentials | undefined {
  const parts = parse(sealed)
  if (parts?.header.alg !== 'dir' || JSON.stringify(parts.header.ctx) !== JSON.stringify(contextOf(context))) return undefined
  const entry = ring.keys.find(({ kid }) => kid === parts.header.kid)
  if (!entry) throw new UnknownKeyError(parts.header.kid, 'credentials')
  const plaintext = decrypt(parts, entry.key)
  return plaintext && (JSON.parse(plaintext.toString('utf8')) as Credentials)
}
