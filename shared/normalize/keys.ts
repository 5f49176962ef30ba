import type { Topics } from '../contracts/topics.ts'
import type { Env, EnvProperties } from '../runtime/env.ts'
import { createIdentity } from '../security/identity.ts'
import { loadIdentityKey, loadKeyRing, refuseDevelopmentKeys } from '../security/keys.ts'
import { createCredentialSealer } from '../security/seal-credentials.ts'
import { createRawOpener } from '../security/seal-raw.ts'
import type { NormalizerDeps } from './normalize.ts'

/** What the normalizer reads, and with it a replay from raw records. */
export const normalizerKeysEnv = {
  RAW_PRIVATE_KEYS_FILE: {
    type: 'string',
    minLength: 1,
    description: 'Key set that opens raw notifications (raw.private.json).',
  },
  CREDENTIAL_KEYS_FILE: {
    type: 'string',
    minLength: 1,
    description: 'Key set that seals credentials inside events (credentials.json).',
  },
  IDENTITY_KEY_FILE: {
    type: 'string',
    minLength: 1,
    description: 'HMAC key of event ids and refs (identity.json); the same at the gateway; never rotated in place.',
  },
} as const satisfies EnvProperties

/** Loads the key files. Throws one sentence for each that is wrong, and for development keys with brokers that are not on loopback. */
export function loadNormalizerKeys(
  env: Env<typeof normalizerKeysEnv> & { KAFKA_BROKERS: string },
  topics: Topics,
): NormalizerDeps {
  const rawKeys = loadKeyRing(env.RAW_PRIVATE_KEYS_FILE, 'private')
  const credentialKeys = loadKeyRing(env.CREDENTIAL_KEYS_FILE, 'secret')
  const identityKey = loadIdentityKey(env.IDENTITY_KEY_FILE)
  refuseDevelopmentKeys(env.KAFKA_BROKERS.split(','), [
    { name: 'RAW_PRIVATE_KEYS_FILE', ...rawKeys },
    { name: 'CREDENTIAL_KEYS_FILE', ...credentialKeys },
    { name: 'IDENTITY_KEY_FILE', ...identityKey },
  ])
  return {
    opener: createRawOpener(rawKeys),
    sealer: createCredentialSealer(credentialKeys),
    identity: createIdentity(identityKey.key),
    topics,
  }
}
