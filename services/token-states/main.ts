import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { createRangeReader } from '../../shared/kafka/range-reader.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import { createRecall } from './endings.ts'
import { tokenStatesEnv } from './env.ts'
import { createKeepStates } from './keep-states.ts'

await runService(
  'token-states',
  () => readEnv(tokenStatesEnv),
  async (env, { log, fail, metrics }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const group = groupId('token-states', env.TOPIC_PREFIX)
    const kafka = createKafka(env, 'token-states', log)
    const facts = await openTopicFacts(kafka)
    const recall = createRecall({
      bounds: (partition) => facts.bounds(topics.states, partition),
      readRange: createRangeReader({ kafka, topic: topics.states, groupPrefix: `${group}.` }),
      log,
    })
    const stage = {
      name: 'token-states' as const,
      sources: [topics.events],
      outputs: [topics.states],
      deadLetters: topics.deadLetters['token-states'],
      step: createKeepStates({ topics, recall }),
    }
    const running = await runStage({ stage, kafka, group, slots: env.SLOTS, from: env.FROM, log, fail, metrics })
    return {
      ready: running.ready,
      async stop() {
        await running.stop()
        await facts.close()
      },
    }
  },
)
