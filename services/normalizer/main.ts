import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { loadNormalizerKeys } from '../../shared/normalize/keys.ts'
import { normalize } from '../../shared/normalize/normalize.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import type { Step } from '../../shared/stage/stage.ts'
import { normalizerEnv } from './env.ts'

await runService(
  'normalizer',
  () => readEnv(normalizerEnv),
  async (env, { log, fail, metrics }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const deps = loadNormalizerKeys(env, topics)
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
