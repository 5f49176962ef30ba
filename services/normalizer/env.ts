import { normalizerKeysEnv } from '../../shared/normalize/keys.ts'
import type { EnvProperties } from '../../shared/runtime/env.ts'
import { stageEnv } from '../../shared/stage/env.ts'

export const normalizerEnv = { ...stageEnv, ...normalizerKeysEnv } as const satisfies EnvProperties
