import { createPrivateKey, createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { Ajv2020 } from 'ajv/dist/2020.js'

/** Key files are JWK Sets (RFC 7517) with two members of our own: `activeFrom` on a key, `development` on the set. */
export type Jwk = JsonWebKey & { kid: string; activeFrom: string }
export type JwkSet = { development?: boolean; keys: Jwk[] }

/** A key with its id and the moment (ms since 1970) from which new seals use it. Old keys stay for opening. */
export type RingKey = { kid: string; activeFrom: number; key: KeyObject }
export type KeyRing = { development: boolean; keys: RingKey[] }

const validate = new Ajv2020({ allErrors: true }).compile<JwkSet>({
  type: 'object',
  required: ['keys'],
  properties: {
    development: { type: 'boolean' },
    keys: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['kty', 'kid', 'activeFrom'],
        properties: {
          kty: { enum: ['oct', 'EC'] },
          kid: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
          activeFrom: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' },
        },
      },
    },
  },
})

const howToMake = 'Make key files with: npm run operator -- keys make --out <folder>'

/** Reads a key file. Throws one sentence that names the file and every mistake in it, never a value. */
export function loadKeyRing(file: string, kind: 'public' | 'private' | 'secret'): KeyRing {
  let set: unknown
  try {
    set = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw new Error(`Key file ${file} ${why}. ${howToMake}`)
  }
  if (!validate(set)) {
    const mistakes = validate.errors?.map((error) => `${error.instancePath || '/'} ${error.message}`).join('; ')
    throw new Error(`Key file ${file} is not a key set: ${mistakes}. ${howToMake}`)
  }
  const keys = set.keys.map((jwk) => ({
    kid: jwk.kid,
    activeFrom: Date.parse(jwk.activeFrom),
    key: toKeyObject(file, jwk, kind),
  }))
  const undated = keys.find(({ activeFrom }) => Number.isNaN(activeFrom))
  if (undated) throw new Error(`Key file ${file}: activeFrom of key ${undated.kid} is no date. ${howToMake}`)
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) throw new Error(`Key file ${file} has a kid twice.`)
  return { development: set.development === true, keys: keys.sort((a, b) => a.activeFrom - b.activeFrom) }
}

/** The HMAC key of all identities: a key set of exactly one, because it never rotates in place. */
export function loadIdentityKey(file: string): { development: boolean; key: KeyObject } {
  const { development, keys } = loadKeyRing(file, 'secret')
  if (keys.length !== 1)
    throw new Error(`Key file ${file} must hold one key: identity keys never rotate in place, a change is a migration`)
  return { development, key: (keys[0] as RingKey).key }
}

function toKeyObject(file: string, jwk: Jwk, kind: 'public' | 'private' | 'secret'): KeyObject {
  const wanted = { public: 'an EC P-256 public key', private: 'an EC P-256 private key', secret: 'a 256-bit oct key' }[kind]
  try {
    if (kind === 'secret') {
      const secret = Buffer.from(jwk.k ?? '', 'base64url')
      if (jwk.kty === 'oct' && secret.length === 32) return createSecretKey(secret)
    } else if (jwk.crv === 'P-256') {
      if (kind === 'public' && jwk.d !== undefined) throw new Error('private')
      return kind === 'public' ? createPublicKey({ key: jwk, format: 'jwk' }) : createPrivateKey({ key: jwk, format: 'jwk' })
    }
  } catch {}
  throw new Error(`Key file ${file}: key ${jwk.kid} is not ${wanted}. ${howToMake}`)
}

/**
 * The key in force at a moment: the latest one active by then, or the first one for records older than all. A function of the
 * record's timestamp, so that a replay seals with the same key (P8).
 */
export function keyAt(ring: KeyRing, at: number): RingKey {
  return ring.keys.findLast((key) => key.activeFrom <= at) ?? (ring.keys[0] as RingKey)
}

/** A key id that no ring holds: wrong with the world (a key file is missing), never with the record. */
export class UnknownKeyError extends Error {
  override name = 'UnknownKeyError'
  constructor(kid: string, what: string) {
    super(`No key ${kid} to open ${what}: add it to the key file; nothing was skipped`)
  }
}

/** Spelled out: `127.0.0.999` or `127.0.0.1.example` are names that a resolver may send anywhere. */
function isLoopback(broker: string): boolean {
  const host = broker.replace(/:\d+$/, '')
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))
}

/** Development keys are published or made on the spot: with brokers that are not on loopback every service refuses them. */
export function refuseDevelopmentKeys(brokers: string[], files: { name: string; development: boolean }[]): void {
  const marked = files.filter((file) => file.development).map((file) => file.name)
  if (marked.length === 0 || brokers.every(isLoopback)) return
  throw new Error(
    `${marked.join(', ')}: development keys, but KAFKA_BROKERS names brokers that are not on loopback. ${howToMake}`,
  )
}
