import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey, loadKeyRing, refuseDevelopmentKeys } from '../../shared/security/keys.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import type { Step } from '../../shared/stage/stage.ts'
import { normalizerEnv } from './env.ts'
import { normalize } from './normalize.ts'

await runService(
  'normalizer',
  () => readEnv(normalizerEnv),
  async (env, { log, fail, metrics }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const rawKeys = loadKeyRing(env.RAW_PRIVATE_KEYS_FILE, 'private')
    const credentialKeys = loadKeyRing(env.CREDENTIAL_KEYS_FILE, 'secret')
    const identityKey = loadIdentityKey(env.IDENTITY_KEY_FILE)
    refuseDevelopmentKeys(env.KAFKA_BROKERS.split(','), [
      { name: 'RAW_PRIVATE_KEYS_FILE', ...rawKeys },
      { name: 'CREDENTIAL_KEYS_FILE', ...credentialKeys },
      { name: 'IDENTITY_KEY_FILE', ...identityKey },
    ])

    const deps = {
      opener: createRawOpener(rawKeys),
      sealer: createCredentialSealer(credentialKeys),
      identity: createIdentity(identityKey.key),
      topics,
    }
    const step: Step = { decide: async ({ records }) => records.map((record) => normalize(record, deps)) }
    const stage = {
      name: 'normalizer' as const,
      sources: [topics.raw.alipayplus, topics.raw.bluepay],
      outputs: [topics.normalized],
      deadLetters: topics.deadLetters.normalizer,
      step,
    }
    const kafka = createKafka(env, 'normalizer', log)
    return runStage({
      stage,
      kafka,
      group: groupId('normalizer', env.TOPIC_PREFIX),
      slots: env.SLOTS,
      from: env.FROM,
      log,
      fail,
      metrics,
    })
  },
)
