/**
 * Credentials and personal fields inside an event: JWE `dir` / `A256GCM` with a synthetic IV, so that the same input gives the same
 * bytes (P8). The context binds provider, account and event id: it does not open as another event's or account's.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { encodeHeader, encrypt } from './jwe.ts'
import { type KeyRing, keyAt } from './keys.ts'
import { type Credentials, type CredentialsContext, contextOf } from './open-credentials.ts'

/**
 * Rotate before 2^32 seals under one key: the IV is 96 bits of an HMAC over kid, additional data and plaintext, under a key of its own
 * (HKDF of the content key), so different input meets the same IV only by chance.
 */
export function createCredentialSealer(ring: KeyRing) {
  const ivKeys = new Map<string, KeyObject>(ring.keys.map(({ kid, key }) => [kid, ivKey(key)]))
  return {
    /** `at`: the raw record's timestamp (ms); it picks the key. */
    seal(context: CredentialsContext, at: number, credentials: Credentials): string {
      const { kid, key } = keyAt(ring, at)
      const header = encodeHeader({ alg: 'dir', enc: 'A256GCM', kid, ctx: contextOf(context) })
      const plaintext = Buffer.from(JSON.stringify(credentials))
      const iv = createHmac('sha256', ivKeys.get(kid) as KeyObject)
        .update(JSON.stringify([kid, header]))
        .update(plaintext)
        .digest()
        .subarray(0, 12)
      return encrypt(header, '', key, iv, plaintext)
    },
  }
}
export type CredentialSealer = ReturnType<typeof createCredentialSealer>

const ivKey = (key: KeyObject) =>
  createSecretKey(Buffer.from(hkdfSync('sha256', key.export(), '', 'credentials synthetic iv', 32)))
