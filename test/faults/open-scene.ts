/** Three brokers behind proxies, Redis with its replica, every service twice, a load and a watch: where faults take place. */

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { startKafka } from '../../deploy/local/kafka.ts'
import type { KafkaNode } from '../../deploy/local/kafka-config.ts'
import { keyFiles, type ServiceName } from '../../deploy/local/pipeline.ts'
import { runOperator } from '../../deploy/local/run-operator.ts'
import { localPartitions, projectRoot } from '../../deploy/local/start-stack.ts'
import { makeTopics, quietKafka } from '../../deploy/local/topics.ts'
import { castOf } from '../../services/operator/simulator/notification.ts'
import { createRandom } from '../../services/operator/simulator/random.ts'
import { loadSenders } from '../../services/operator/simulator/senders.ts'
import { groupId, topicSettings } from '../../shared/contracts/topics.ts'
import { describeError } from '../../shared/runtime/log.ts'
import { waitFor } from '../support/wait-for.ts'
import { type Scene, slots } from './fault.ts'
import { openBrokers } from './scene/brokers.ts'
import { createFleet } from './scene/fleet.ts'
import { startLoad } from './scene/load.ts'
import { startWatch } from './scene/watch.ts'
import { createKafkaProxy } from './world/kafka-proxy.ts'
import { startRedisPair } from './world/redis-pair.ts'

export type OpenScene = {
  scene: Scene
  historyFile: string
  positionsFile: string
  keysDir: string
  brokers: string
  /** Ends the load and waits until every raw record has its outcome and nothing waits for its syncs. */
  settle: () => Promise<void>
  stop: () => Promise<void>
}

const nodeIds = [1, 2, 3]
const members: Record<ServiceName, number> = { gateway: 1, normalizer: 2, deduplicator: 2, 'merchant-sync': 2, 'token-states': 2 }
const prefix = 'faults.'

/** `dir` is emptied first. Throws one clear sentence if anything does not come up, and then leaves nothing running. */
export async function openScene(options: {
  dir: string
  seed: string
  rate: number
  repeat: number
  wants: (failpoint: string) => boolean
  say: (line: string) => void
  onDeath: (error: Error) => void
}): Promise<OpenScene> {
  const { dir, seed, rate, repeat, wants, say, onDeath } = options
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const [dataDir, logDir, keysDir] = ['data', 'logs', 'keys'].map((name) => join(dir, name)) as [string, string, string]
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch((error) => say(`While stopping: ${error.message}`))
  }
  try {
    const nodes = await chooseNodes()
    say('Starting three Kafka nodes, and Redis with a replica …')
    const cluster = await startKafka({
      programDir: join(projectRoot, '.local/kafka'),
      dataDir: join(dataDir, 'kafka'),
      logDir,
      nodes,
      log: say,
    })
    stops.push(cluster.stop)
    const redis = await startRedisPair({ folder: join(dataDir, 'redis'), log: say })
    stops.push(redis.stop)
    const proxy = await createKafkaProxy(nodes)
    stops.push(proxy.stop)

    const kafka = quietKafka(cluster.brokers)
    const topics = await makeTopics(kafka, { prefix, partitions: localPartitions, own: true })
    const brokers = await openBrokers(
      cluster,
      kafka,
      topicSettings(topics, localPartitions).map(({ topic }) => topic),
    )
    stops.push(brokers.close)

    await runOperator(['keys', 'make', '--development', '--out', keysDir], process.env)
    const direct = { PATH: process.env.PATH, KAFKA_BROKERS: cluster.brokers, TOPIC_PREFIX: prefix }
    await runOperator(['merchants', 'put', join(keysDir, 'merchants.json')], direct)
    const gatewayPort = await freePort()
    const env = {
      ...{ PATH: process.env.PATH, KAFKA_BROKERS: proxy.brokers, REDIS_URL: redis.redisUrl, TOPIC_PREFIX: prefix },
      ...{ GATEWAY_PORT: String(gatewayPort), SLOTS: String(slots), ...keyFiles(keysDir) },
    }
    const fleet = createFleet({ env, logDir, members })
    stops.push(fleet.stop)
    const positionsFile = join(dir, 'positions.jsonl')
    const watch = await startWatch({ kafka, prefix, topics, positionsFile, onDeath })
    stops.push(watch.stop)
    say('Starting the services …')
    await fleet.start()

    const historyFile = join(dir, 'client.jsonl')
    const cast = castOf(loadSenders(join(keysDir, 'simulator.json')))
    const target = new URL(`http://127.0.0.1:${gatewayPort}`)
    await waitFor('the gateway to listen', () => fleet.lines.some(({ event }) => event === 'listening'))
    const load = startLoad({ cast, target, seed, rate, historyFile })
    stops.push(load.stop)
    const scene: Scene = {
      ...{ brokers, proxy, redis, fleet, load, watch, kafka, topics, prefix, logDir, repeat, wants, say },
      env: { ...env, KAFKA_BROKERS: cluster.brokers },
      random: createRandom(`${seed}/faults`),
    }

    async function settle(): Promise<void> {
      await load.stop()
      const raw = async () => {
        const ends = await Promise.all(Object.values(topics.raw).map((topic) => brokers.admin.fetchTopicOffsets(topic)))
        return ends.flat().reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
      }
      // What is lost never gets one: the accounts name it.
      await waitFor('every raw record to have an outcome', async () => watch.outcomes() >= (await raw()), {
        timeoutMs: 120_000,
      }).catch((error) => say(describeError(error)))
      for (const stage of ['merchant-sync', 'token-states'] as const) {
        const isRead = async () => {
          const [read] = await brokers.admin.fetchOffsets({ groupId: groupId(stage, prefix), topics: [topics.events] })
          const committed = new Map(read?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
          return [...watch.ends(topics.events)].every(([partition, end]) => (committed.get(partition) ?? 0) >= end)
        }
        await waitFor(`${stage} to have read every event`, isRead, { timeoutMs: 120_000 }).catch((error) =>
          say(describeError(error)),
        )
      }
      await fleet.stop()
      await watch.stop()
    }
    return { scene, historyFile, positionsFile, keysDir, brokers: cluster.brokers, settle, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function chooseNodes(): Promise<Required<KafkaNode>[]> {
  const nodes: Required<KafkaNode>[] = []
  for (const id of nodeIds) {
    const proxied = { port: await freePort(), proxyPort: await freePort() }
    nodes.push({ id, port: await freePort(), controllerPort: await freePort(), proxied })
  }
  return nodes
}
