import { commonEnv, type EnvProperties, kafkaEnv } from '../runtime/env.ts'

/** What every stage reads. */
export const stageEnv = {
  ...commonEnv,
  ...kafkaEnv,
  SLOTS: {
    type: 'integer',
    minimum: 1,
    default: 2,
    description:
      'Groups of partitions that share a transaction; the unit of assignment to processes. Divides the partition count; the same for all members of a group.',
  },
  FROM: {
    type: 'string',
    enum: ['', 'earliest', 'latest'],
    default: '',
    description: 'Where to begin when committed offsets are missing although the stage has run before; empty: stop and say so.',
  },
} as const satisfies EnvProperties
