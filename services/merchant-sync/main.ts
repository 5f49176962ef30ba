import { createRegistry } from '../../shared/contracts/registry.ts'
import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { choosePartition } from '../../shared/kafka/choose-partition.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import { runService } from '../../shared/runtime/service.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import { merchantSyncEnv } from './env.ts'
import { createFanOut } from './fan-out.ts'

await runService(
  'merchant-sync',
  () => readEnv(merchantSyncEnv),
  async (env, { log, fail, metrics }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const group = groupId('merchant-sync', env.TOPIC_PREFIX)
    const kafka = createKafka(env, 'merchant-sync', log)
    const facts = await openTopicFacts(kafka)
    const partitions = await facts.partitionCount(topics.syncs)
    await facts.close()

    // The whole registry before the first event: an event decided by half of it would miss merchants. What any process has decided by was in
    // the topic before this one began to read, so a batch that comes again is never decided by an older version than before a restart.
    const readAt = performance.now()
    const registry = createRegistry()
    const reader = await readTopics({
      kafka,
      topics: [topics.merchants],
      groupPrefix: `${group}.`,
      onDeath: fail,
      onRecord(record) {
        const mistakes = registry.apply(record)
        if (mistakes.length > 0) log.error('registry-entry-refused', { offset: record.offset, reason: mistakes.join('; ') })
      },
    })
    await reader.caughtUp
    await failpoint('registry.read')
    const durationMs = Math.round(performance.now() - readAt)
    log.info('registry-read', { merchants: registry.entries().size, registryOffset: registry.offset(), durationMs })

    const partitionOf = (key: string) => choosePartition(key, partitions)
    const step = createFanOut({ topics, registry, partitionOf, quietMs: reader.quietMs })
    const stage = {
      name: 'merchant-sync' as const,
      sources: [topics.events],
      outputs: [topics.syncs],
      deadLetters: topics.deadLetters['merchant-sync'],
      step,
    }
    const running = await runStage({ stage, kafka, group, slots: env.SLOTS, from: env.FROM, log, fail, metrics })
    return {
      ready: running.ready,
      async stop() {
        await running.stop()
        await reader.stop()
      },
    }
  },
)
