import { defaultWindowHours } from '../../shared/contracts/deduplication-key.ts'
import type { EnvProperties } from '../../shared/runtime/env.ts'
import { stageEnv } from '../../shared/stage/env.ts'
import { redisUrlPattern } from './redis.ts'

export const deduplicatorEnv = {
  ...stageEnv,
  REDIS_URL: {
    type: 'string',
    pattern: redisUrlPattern,
    description:
      'Redis that indexes the claims, e.g. rediss://user:password@host:6379/0, rediss+sentinel://host:26379,host:26379/name, rediss+cluster://host:6379,host:6379; REDIS_URL_FILE keeps the password out of the environment.',
  },
  WINDOW_HOURS: {
    type: 'integer',
    minimum: 25,
    default: defaultWindowHours,
    description:
      'A repeat within this many hours of the last copy is a duplicate; longer than providers retry (24 h 22 min) plus SLACK_HOURS.',
  },
  SLACK_HOURS: {
    type: 'integer',
    minimum: 1,
    default: 24,
    description:
      'How far the deduplicator may lag before claims must be made anew; claims live in Redis for WINDOW_HOURS + SLACK_HOURS.',
  },
} as const satisfies EnvProperties
