import type { EnvProperties } from '../../shared/runtime/env.ts'
import { stageEnv } from '../../shared/stage/env.ts'

export const normalizerEnv = {
  ...stageEnv,
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
