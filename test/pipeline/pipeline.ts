/** The whole pipeline as its processes, on the run's Kafka and Redis, under a prefix of the test's own. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type ServiceUnderTest, startService } from '../support/service.ts'
import { createTopicSet, type Teardown, type TopicSet, testStack } from '../support/topic-set.ts'

export const serviceNames = ['gateway', 'normalizer', 'deduplicator', 'merchant-sync', 'token-states'] as const
export type ServiceName = (typeof serviceNames)[number]

export type PipelineUnderTest = {
  set: TopicSet
  gatewayUrl: string
  env: Record<string, string>
  services: Record<ServiceName, ServiceUnderTest>
  /** Another process of the same service, with the same environment. */
  startAnother: (name: ServiceName) => Promise<ServiceUnderTest>
}

/** A folder of the test's own; the system removes it. */
export const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'pipeline-test-'))

/** `keyEnv`: the variables that name key and accounts files. `beforeStart` runs when the topics exist and no service reads them yet. */
export async function startPipeline(
  t: Teardown,
  keyEnv: Record<string, string>,
  { beforeStart = async () => {} }: { beforeStart?: (set: TopicSet) => Promise<void> } = {},
): Promise<PipelineUnderTest> {
  const { brokers, redisUrl } = testStack()
  const set = await createTopicSet(t)
  await beforeStart(set)
  const gatewayPort = String(await freePort())
  const env = {
    KAFKA_BROKERS: brokers,
    REDIS_URL: redisUrl,
    TOPIC_PREFIX: set.prefix,
    GATEWAY_PORT: gatewayPort,
    LOG_LEVEL: 'info',
    ...keyEnv,
  }
  const startAnother = (name: ServiceName) => startService(t, name, env)
  const started = await Promise.all(serviceNames.map(startAnother))
  await Promise.all(started.map((service) => service.untilReady()))
  const services = Object.fromEntries(started.map((service) => [service.name, service])) as Record<ServiceName, ServiceUnderTest>
  return { set, gatewayUrl: `http://127.0.0.1:${gatewayPort}`, env, services, startAnother }
}
