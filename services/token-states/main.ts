import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import { createMemory, createRecall } from './endings.ts'
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

    // All states before the first event, as other members go on meanwhile; from then on each as it comes.
    const readAt = performance.now()
    const memory = createMemory(log)
    const reader = await readTopics({
      kafka,
      topics: [topics.states],
      groupPrefix: `${group}.`,
      onDeath: fail,
      onRecord: memory.learn,
    })
    await reader.caughtUp
    log.info('states-read', { count: memory.count(), durationMs: Math.round(performance.now() - readAt) })
    const recall = createRecall({
      memory,
      end: async (partition) => (await facts.bounds(topics.states, partition)).high,
      learntUpTo: (partition, offset, signal) => reader.reached(topics.states, partition, offset, signal),
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
        await reader.stop()
        await facts.close()
      },
    }
  },
)
