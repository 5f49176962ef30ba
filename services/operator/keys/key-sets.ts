import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Jwk, JwkSet } from '../../../shared/security/keys.ts'

/** The key sets of the pipeline, and the files that hold them: the first file is written first when a set gets a new key. */
export const keySets = {
  /** EC P-256: the gateway seals to the public half. Whoever opens must have a key before anyone seals to it: private first. */
  raw: ['raw.private.json', 'raw.public.json'],
  /** AES-256: token credentials and personal fields inside events. */
  credentials: ['credentials.json'],
  /** HMAC-SHA-256: event ids, token refs, partition keys. One key for ever. */
  identity: ['identity.json'],
} as const
export type KeySetName = keyof typeof keySets
export type KeyFile = (typeof keySets)[KeySetName][number]

/** A new key of a set, as it goes into each of the set's files. Makes randomness; the rest is in the arguments. */
export function makeKey(set: KeySetName, madeAt: number, activeFrom: number): Partial<Record<KeyFile, Jwk>> {
  const kid = `${set}-${new Date(madeAt).toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
  const members = { kid, activeFrom: new Date(activeFrom).toISOString() }
  if (set !== 'raw') {
    const key: Jwk = { kty: 'oct', k: randomBytes(32).toString('base64url'), ...members }
    return set === 'credentials' ? { 'credentials.json': key } : { 'identity.json': key }
  }
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    'raw.private.json': { ...pair.privateKey.export({ format: 'jwk' }), ...members },
    'raw.public.json': { ...pair.publicKey.export({ format: 'jwk' }), ...members },
  }
}

/** The text of a key file; `development` marks keys that services refuse with brokers that are not on loopback. */
export const keySetText = (keys: Jwk[], development: boolean): string => `${JSON.stringify(keySet(keys, development), null, 2)}\n`
const keySet = (keys: Jwk[], development: boolean): JwkSet => (development ? { development, keys } : { keys })

export type KeyState = 'past' | 'current' | 'next'

/** Which key seals now (`current`), which did (`past`, kept for opening), which will (`next`). Expects them by activation time. */
export function keyStates(keys: { activeFrom: number }[], now: number): KeyState[] {
  const current = Math.max(
    0,
    keys.findLastIndex(({ activeFrom }) => activeFrom <= now),
  )
  return keys.map((_, index) => (index < current ? 'past' : index === current ? 'current' : 'next'))
}

/** Who needs which file, and nothing else (README, "Who may open what"). */
export const leastPrivilege: { file: string; secret: string; readers: string; allows: string }[] = [
  { file: 'raw.public.json', secret: 'no', readers: 'gateway', allows: 'sealing raw notifications; opens nothing' },
  { file: 'raw.private.json', secret: 'yes', readers: 'normalizer', allows: 'opening raw notifications' },
  { file: 'credentials.json', secret: 'yes', readers: 'normalizer, dispatcher', allows: 'sealing and opening token credentials' },
  {
    file: 'identity.json',
    secret: 'yes',
    readers: 'gateway, normalizer',
    allows: 'making event ids, token refs, partition keys',
  },
]
export const developmentFiles: typeof leastPrivilege = [
  {
    file: 'accounts.yaml',
    secret: 'path ids',
    readers: 'gateway',
    allows: "knowing the providers' clients, accounts and public keys",
  },
  { file: 'alipayplus-answers.private.pem', secret: 'yes', readers: 'gateway', allows: 'signing the answers to Alipay+' },
  { file: 'simulator.json', secret: 'yes', readers: 'operator simulate', allows: 'signing as the providers (development only)' },
  { file: 'merchants.json', secret: 'no', readers: 'operator merchants put', allows: 'registering the demonstration merchants' },
]
