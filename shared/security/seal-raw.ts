/**
 * Raw notifications: JWE `ECDH-ES+A256KW` / `A256GCM` to the pipeline's public key. The gateway makes one content key an hour, wraps
 * it once and forgets it: it cannot open what it sealed yesterday, and a seal costs no public-key operation.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  randomFillSync,
} from 'node:crypto'
import type { Provider } from '../contracts/topics.ts'
import { decrypt, encodeHeader, encrypt, ivBytes, type Parts, parse } from './jwe.ts'
import { type KeyRing, keyAt, UnknownKeyError } from './keys.ts'

const alg = 'ECDH-ES+A256KW'
const contentKeyLifeMs = 60 * 60 * 1000
const maxHeaders = 10_000
const maxContentKeys = 1_000
const wrapIv = Buffer.from('A6A6A6A6A6A6A6A6', 'hex')

/** Concat KDF (RFC 7518 §4.6.2) for one 256-bit key, no party info. */
function wrappingKey(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const length = (n: number) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n])
  return createHash('sha256')
    .update(length(1))
    .update(diffieHellman({ privateKey, publicKey }))
    .update(Buffer.concat([length(alg.length), Buffer.from(alg), length(0), length(0), length(256)]))
    .digest()
}

const context = (provider: Provider, account: string) => ['raw', provider, account]

type ContentKey = { key: KeyObject; wrapped: string; madeAt: number; kid: string; epk: JsonWebKey; headers: Map<string, string> }

function makeContentKey(ring: KeyRing, now: number): ContentKey {
  const recipient = keyAt(ring, now)
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const bytes = randomBytes(32)
  const wrap = createCipheriv('id-aes256-wrap', wrappingKey(ephemeral.privateKey, recipient.key), wrapIv)
  const wrapped = Buffer.concat([wrap.update(bytes), wrap.final()]).toString('base64url')
  // As a Buffer, a key costs 12 µs more in each use.
  return {
    key: createSecretKey(bytes),
    wrapped,
    madeAt: now,
    kid: recipient.kid,
    epk: ephemeral.publicKey.export({ format: 'jwk' }),
    headers: new Map(),
  }
}

/** Random IVs, drawn many at a time: a draw costs 2 µs, whatever its size. */
function createIvs(): () => Buffer {
  const ivs = Buffer.alloc(256 * ivBytes)
  let at = ivs.length
  return () => {
    if (at === ivs.length) {
      randomFillSync(ivs)
      at = 0
    }
    at += ivBytes
    return ivs.subarray(at - ivBytes, at)
  }
}

/** Seals to the newest public key in force. Additional data binds provider and account. */
export function createRawSealer(ring: KeyRing, now: () => number = Date.now) {
  const nextIv = createIvs()
  let current = makeContentKey(ring, now())
  return {
    seal(provider: Provider, account: string, bytes: Buffer): Buffer {
      const at = now()
      if (at - current.madeAt > contentKeyLifeMs || at < current.madeAt || keyAt(ring, at).kid !== current.kid)
        current = makeContentKey(ring, at)
      const cacheKey = `${provider}/${account}`
      let header = current.headers.get(cacheKey)
      if (header === undefined) {
        const { x, y } = current.epk as { x: string; y: string }
        header = encodeHeader({
          alg,
          enc: 'A256GCM',
          kid: current.kid,
          ctx: context(provider, account),
          epk: { kty: 'EC', crv: 'P-256', x, y },
        })
        if (current.headers.size < maxHeaders) current.headers.set(cacheKey, header)
      }
      return Buffer.from(encrypt(header, current.wrapped, current.key, nextIv(), bytes), 'latin1')
    },
  }
}
export type RawSealer = ReturnType<typeof createRawSealer>

/** Opens raw records. Undefined: not ours, altered, or another provider's or account's. Throws UnknownKeyError for an unknown kid. */
export function createRawOpener(ring: KeyRing) {
  const byKid = new Map(ring.keys.map((entry) => [entry.kid, entry.key]))
  const contentKeys = new Map<string, KeyObject>()

  function contentKey({ header, encryptedKey }: Parts): KeyObject | undefined {
    const recipient = byKid.get(header.kid)
    if (recipient === undefined) throw new UnknownKeyError(header.kid, 'raw notifications')
    const { x, y } = header.epk ?? {}
    const cacheKey = `${header.kid}.${x}.${y}.${encryptedKey}`
    const known = contentKeys.get(cacheKey)
    if (known) return known
    try {
      const ephemeral = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, format: 'jwk' })
      const unwrap = createDecipheriv('id-aes256-wrap', wrappingKey(recipient, ephemeral), wrapIv)
      const bytes = Buffer.concat([unwrap.update(Buffer.from(encryptedKey, 'base64url')), unwrap.final()])
      const key = createSecretKey(bytes)
      if (contentKeys.size >= maxContentKeys) contentKeys.clear()
      contentKeys.set(cacheKey, key)
      return key
    } catch {
      return undefined
    }
  }

  return {
    open(provider: Provider, account: string, sealed: Buffer): Buffer | undefined {
      const parts = parse(sealed.toString('latin1'))
      if (parts?.header.alg !== alg) return undefined
      if (JSON.stringify(parts.header.ctx) !== JSON.stringify(context(provider, account))) return undefined
      const key = contentKey(parts)
      return key && decrypt(parts, key)
    },
  }
}
export type RawOpener = ReturnType<typeof createRawOpener>
