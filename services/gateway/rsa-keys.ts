import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { decodeBase64 } from './base64.ts'

/** A key to verify with, parsed once: from text it would cost six times the verification. */
export type VerifyingKey = { key: KeyObject; modulus: Buffer }

/** A mistake is a sentence about a key text that never quotes it: a key text may be a secret in the wrong place. */
export type Mistake = { mistake: string }

const minBits = 2048
const maxBits = 4096

/**
 * SHA-256 of the SPKI of keys that anybody can look up: the sample key behind the signatures printed in PayCools's and BluePay's
 * documentation, and the test key of the Alipay SDK. Good for tests, never for trust.
 */
const publishedSamples = new Set([
  'd98a733f364d7d6d595009657d10b35aa359c20b107ff4fceef6583c90e17f7d',
  'a3e34763ba6a1a8795ad47a0a95bc08e0a2dc946c0d849e4ba30133f7ac6fe89',
])

/** PEM, or the bare base64 of an X.509 SubjectPublicKeyInfo as Java's `getEncoded()` gives it and both providers hand out. */
export function readPublicKey(text: string): { key: VerifyingKey; published: boolean } | Mistake {
  if (/PRIVATE KEY/.test(text))
    return { mistake: 'is a private key; put the public key there, and treat the private one as leaked' }
  const key = parse(text, (der) => createPublicKey({ key: der, format: 'der', type: 'spki' }), createPublicKey)
  if (!key) return { mistake: 'is not a public key (PEM, or base64 of an X.509 SubjectPublicKeyInfo)' }
  const mistake = mistakeOf(key)
  if (mistake) return { mistake }
  const spki = key.export({ type: 'spki', format: 'der' })
  const published = publishedSamples.has(createHash('sha256').update(spki).digest('hex'))
  return { key: { key, modulus: Buffer.from(key.export({ format: 'jwk' }).n as string, 'base64url') }, published }
}

/** PEM, or the bare base64 of a PKCS#8 private key. */
export function readSigningKey(text: string): { key: KeyObject } | Mistake {
  const key = parse(text, (der) => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), createPrivateKey)
  if (!key) return { mistake: 'is not a private key (PEM, or base64 of PKCS#8)' }
  const mistake = mistakeOf(key)
  return mistake ? { mistake } : { key }
}

function parse(text: string, fromDer: (der: Buffer) => KeyObject, fromPem: (pem: string) => KeyObject): KeyObject | undefined {
  try {
    if (text.includes('-----BEGIN')) return fromPem(text)
    const der = decodeBase64(text.replace(/\s+/g, ''), 'base64')
    return der && fromDer(der)
  } catch {
    return undefined
  }
}

function mistakeOf(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType !== 'rsa') return `is a key for ${key.asymmetricKeyType}; only RSA signatures are defined here`
  if (modulusLength < minBits || modulusLength > maxBits) {
    return `is an RSA key of ${modulusLength} bits; ${minBits} to ${maxBits} are accepted`
  }
  return publicExponent < 65_537n ? 'has a public exponent below 65537' : undefined
}
