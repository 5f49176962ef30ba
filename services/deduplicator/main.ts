import { setTimeout as sleep } from 'node:timers/promises'
import { groupId, topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { createRangeReader } from '../../shared/kafka/range-reader.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import type { Log } from '../../shared/runtime/log.ts'
import { runService } from '../../shared/runtime/service.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import { checkPolicy, checkWindow } from './checks.ts'
import { createClaims } from './claims.ts'
import { createDropDuplicates } from './drop-duplicates.ts'
import { deduplicatorEnv } from './env.ts'
import { createFindLack } from './lacks.ts'
import { createRebuild } from './rebuild.ts'
import { connectRedis, type RedisClient } from './redis.ts'

const hourMs = 60 * 60 * 1000

await runService(
  'deduplicator',
  () => readEnv(deduplicatorEnv),
  async (env, { log, fail, metrics }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const [windowMs, slackMs] = [env.WINDOW_HOURS * hourMs, env.SLACK_HOURS * hourMs]

    const kafka = createKafka(env, 'deduplicator', log)
    const facts = await openTopicFacts(kafka)
    checkWindow(windowMs, slackMs, await facts.retentionMs(topics.normalized))
    const redis = connectRedis(env.REDIS_URL)
    await waitForRedis(redis, log)
    await checkPolicy(redis)

    const group = groupId('deduplicator', env.TOPIC_PREFIX)
    const claims = createClaims(redis, { prefix: env.TOPIC_PREFIX, windowMs, slackMs })
    const startAt = (partition: number, timestamp: number) => facts.startAt(topics.normalized, partition, timestamp)
    const readRange = createRangeReader({ kafka, topic: topics.normalized, groupPrefix: `${group}.` })
    const findLack = createFindLack({
      claims,
      redis,
      bounds: (partition) => facts.bounds(topics.normalized, partition),
      readRange,
    })
    // Looked for before joining, while others go on: a takeover need not wait for it. What cannot be known now is looked for again then.
    const partitions = Array.from({ length: await facts.partitionCount(topics.normalized) }, (_, partition) => partition)
    await Promise.allSettled(partitions.map(findLack))
    const step = createDropDuplicates({
      claims,
      rebuild: createRebuild({ claims, windowMs, startAt, readRange, log }),
      topics,
      windowMs,
      findLack,
    })
    const stage = {
      name: 'deduplicator' as const,
      sources: [topics.normalized],
      outputs: [topics.events, topics.duplicates],
      deadLetters: topics.deadLetters.deduplicator,
      step,
    }
    const running = await runStage({ stage, kafka, group, slots: env.SLOTS, from: env.FROM, log, fail, metrics })
    return {
      ready: running.ready,
      async stop() {
        await running.stop()
        await facts.close()
        redis.disconnect()
      },
    }
  },
)

/** Redis away at the start is no reason to end: lag grows, nothing is lost. */
async function waitForRedis(redis: RedisClient, log: Log): Promise<void> {
  redis.on('error', (error) => log.warn('redis', { error }))
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
    if (
      await redis.connect().then(
        () => true,
        () => redis.status === 'ready',
      )
    )
      return
    log.warn('waiting-for-redis')
    await sleep(pauseMs)
  }
}
