import { createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import type { VerifyingKey } from './rsa-keys.ts'

/**
 * SHA256withRSA, PKCS#1 v1.5: what both providers use and the only thing that is ever tried, whatever a request names. That padding is what Node does with
 * an RSA key; to name it, in an object around the key, costs a third more.
 */
const algorithm = 'sha256'
/** Signatures of keys outside 2048 to 4096 bits: no account can have such a key (`rsa-keys.ts`), so nobody learns anything by a quick no. */
const minBytes = 256
const maxBytes = 512

/**
 * Verification that takes the same work whether there is a key or not: one modular exponentiation of the *signature's* size, chosen by
 * what the sender sent and by nothing we know. Without it a stop-watch tells an unknown client from a bad signature.
 * `onCheck` is told of each exponentiation.
 */
export function createSignatureCheck(onCheck: (bits: number) => void = () => {}) {
  const standIns = new Map<number, KeyObject>()

  return (candidate: VerifyingKey | undefined, content: Buffer, signature: Buffer): boolean => {
    if (signature.length < minBytes || signature.length > maxBytes) return false
    // OpenSSL refuses a number at or above the modulus without computing anything; the stand-in's modulus has only ones at its top.
    const usable = candidate?.modulus.length === signature.length && signature.compare(candidate.modulus) < 0
    const key = usable ? candidate.key : standIn(signature.length)
    onCheck(signature.length * 8)
    return verify(algorithm, content, key, signature) && usable
  }

  /** A random odd number as modulus does: a verification with it costs the same, and its outcome is never used. */
  function standIn(bytes: number): KeyObject {
    const known = standIns.get(bytes)
    if (known) return known
    const n = randomBytes(bytes).fill(0xff, 0, 16)
    n[bytes - 1] = (n[bytes - 1] as number) | 1
    const key = createPublicKey({ key: { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }, format: 'jwk' })
    standIns.set(bytes, key)
    return key
  }
}
export type SignatureCheck = ReturnType<typeof createSignatureCheck>
