import { loadNormalizerKeys, normalizerKeysEnv } from '../../../shared/normalize/keys.ts'
import type { NormalizerDeps } from '../../../shared/normalize/normalize.ts'
import { kafkaEnv, readEnv } from '../../../shared/runtime/env.ts'
import { describeError } from '../../../shared/runtime/log.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'

/** What a replay of raw records to a side topic needs besides Kafka. */
export const sideKeysHelp = `Raw records are sealed: ${Object.keys(normalizerKeysEnv).join(', ')} must name the normalizer's key files.`

/** The normalizer's keys, as the environment names them. Throws UsageError that says all that is missing. */
export function loadSideKeys({ topics }: KafkaSession, env: NodeJS.ProcessEnv): NormalizerDeps {
  try {
    return loadNormalizerKeys(readEnv({ ...kafkaEnv, ...normalizerKeysEnv }, env), topics)
  } catch (error) {
    throw new UsageError(`${sideKeysHelp} ${describeError(error)}`)
  }
}
