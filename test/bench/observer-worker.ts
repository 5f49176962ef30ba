/** Notes when a record can be read by others: a process like a service, with a read_committed reader for each of three topics, that does nothing else. */
import { writeFileSync } from 'node:fs'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { commonEnv, type EnvProperties, kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'

export type Hop = 'normalized' | 'events' | 'syncs'
/** Milliseconds since 1970: when the raw record was stored, and when this one, made of it, was read. */
export type Seen = { hop: Hop; origin: string; id: string; keptAt: number; seenAt: number }

const observerEnv = {
  ...commonEnv,
  ...kafkaEnv,
  OUT_FILE: { type: 'string', description: 'Gets all that was seen, at the stop.' },
} as const satisfies EnvProperties

const sayEveryMs = 200

await runService(
  'observer',
  () => readEnv(observerEnv),
  async (env, { log, fail }) => {
    const topics = topicNames(env.TOPIC_PREFIX)
    const kafka = createKafka(env, 'observer', log)
    const seen: Seen[] = []
    let syncs = 0
    const watch = (hop: Hop) =>
      readTopics({
        kafka,
        topics: [topics[hop]],
        groupPrefix: env.TOPIC_PREFIX,
        onDeath: fail,
        onRecord({ headers, timestamp }) {
          const [origin, id] = [headers[header.origin] as string, headers[header.id] as string]
          seen.push({ hop, origin, id, keptAt: timestamp, seenAt: Date.now() })
          if (hop === 'syncs') syncs++
        },
      })
    const readers = await Promise.all((['normalized', 'events', 'syncs'] as const).map(watch))
    let said = 0
    const saying = setInterval(() => {
      if (syncs === said) return
      said = syncs
      log.info('seen', { count: syncs })
    }, sayEveryMs)
    return {
      ready: () => true,
      async stop() {
        clearInterval(saying)
        await Promise.all(readers.map((reader) => reader.stop()))
        writeFileSync(env.OUT_FILE, JSON.stringify(seen))
      },
    }
  },
)
