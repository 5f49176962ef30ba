/** What happens to the secrets: sent, sent again, refused, buried, and every process and store failing once on the way. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { makeTopics, quietKafka } from '../../deploy/local/topics.ts'
import type { Kafka } from '../../shared/kafka/client.ts'
import { waitFor } from '../support/wait-for.ts'
import type { Canaries } from './canaries.ts'
import { crashesOnSignal, runMishaps } from './mishaps.ts'
import { type Change, createNotifications } from './notifications.ts'
import type { OwnPipeline, OwnService } from './own-pipeline.ts'
import { createProviders, type Providers, refusedRequests } from './providers.ts'
import { held, makeReadable, type Place, redisMemory } from './remains.ts'

const merchant = { merchantId: 'M-canary', name: 'Canary', subscriptions: [{ id: 'all', enabled: true }] }
const probes = ['/metrics', '/readyz', '/livez', '/elsewhere']

/** Topics, keys and a merchant. The gateway's keys lie in a folder of their own, which holds nothing else. */
async function prepare(pipeline: OwnPipeline, kafka: Kafka, folder: string) {
  const inFolder = (name: string) => join(folder, name)
  const folders = { keys: inFolder('keys'), strangerKeys: inFolder('stranger-keys') }
  const [gatewayKeys, broken] = [inFolder('gateway-keys'), inFolder('broken-keys')]
  for (const each of [gatewayKeys, broken]) mkdirSync(each)
  await makeReadable(pipeline.redis.redisUrl)
  await Promise.all([
    makeTopics(kafka, { prefix: '', partitions: 4, own: true }),
    ...Object.values(folders).map((out) => pipeline.operator(['keys', 'make', '--out', out])),
  ])
  for (const name of ['raw.public.json', 'identity.json']) copyFileSync(join(folders.keys, name), join(gatewayKeys, name))
  const merchantsFile = inFolder('merchants.json')
  writeFileSync(merchantsFile, JSON.stringify([merchant]))
  await pipeline.operator(['merchants', 'put', merchantsFile])
  return { ...folders, gatewayKeys, broken }
}

/** Everything that a gateway must refuse, over HTTP and below it. */
async function sendRefused(providers: Providers, gatewayUrl: string, canaries: Canaries) {
  const refusals = []
  for (const { name, request, method } of refusedRequests(providers, canaries))
    refusals.push({ name, ...(await providers.post(gatewayUrl, request, method)) })
  const secret = canaries.makePlain('refused HTTP')
  await providers.raw(gatewayUrl, `POST /${secret} HTTP/9.9\r\nAuthorization: ${secret}\r\n\r\n`)
  await providers.raw(gatewayUrl, `POST / HTTP/1.1\r\nHost: a\r\n${secret} : ${secret}\r\n\r\n{"accessToken":"${secret}"}`)
  return refusals
}

export async function tellStory(pipeline: OwnPipeline, folder: string, canaries: Canaries) {
  const kafka = quietKafka(pipeline.kafka.brokers)
  const { keys, strangerKeys, gatewayKeys, broken } = await prepare(pipeline, kafka, folder)
  const inKeys = (name: string) => join(keys, name)
  const providers = createProviders(canaries)
  const { changes, few, conflictOf, deadLetters } = createNotifications(canaries)
  const seen: Place[] = []

  const gatewayPort = String(await freePort())
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`
  const gatewayEnv = {
    GATEWAY_PORT: gatewayPort,
    ACCOUNTS_FILE: providers.writeAccounts(gatewayKeys),
    RAW_PUBLIC_KEYS_FILE: join(gatewayKeys, 'raw.public.json'),
    IDENTITY_KEY_FILE: join(gatewayKeys, 'identity.json'),
    ALIPAYPLUS_DEADLINE_MS: '1500',
    BLUEPAY_DEADLINE_MS: '1500',
  }
  const normalizerEnv = {
    RAW_PRIVATE_KEYS_FILE: inKeys('raw.private.json'),
    CREDENTIAL_KEYS_FILE: inKeys('credentials.json'),
    IDENTITY_KEY_FILE: inKeys('identity.json'),
  }
  const startNormalizer = (more = {}) => pipeline.service('normalizer', { ...normalizerEnv, ...more })

  /** Its pages, as they are before it ends. */
  async function look(service: OwnService): Promise<void> {
    for (const path of probes) seen.push(held('metrics page', `${service.name}${path}`, await service.page(path)))
  }
  const deliver = async (list: Pick<Change, 'notification'>[]) => {
    for (const { notification } of list) await providers.deliver(gatewayUrl, notification)
  }

  const mishaps = runMishaps(pipeline, broken, { ...normalizerEnv, ...gatewayEnv, GATEWAY_PORT: '0' }, canaries)
  const [gateway, lost, crashing, sync, states] = await Promise.all([
    pipeline.service('gateway', gatewayEnv),
    startNormalizer({ RAW_PRIVATE_KEYS_FILE: join(strangerKeys, 'raw.private.json') }),
    pipeline.service('deduplicator', crashesOnSignal(canaries)),
    pipeline.service('merchant-sync', {}),
    pipeline.service('token-states', {}),
  ])
  await Promise.all([gateway, lost, crashing, sync, states].map((service) => service.untilReady()))

  const sent = changes()
  await deliver(sent)
  await waitFor('the normalizer to miss its key', () => lost.output().includes('No key '))
  await look(lost)
  await lost.stop()
  const first = await startNormalizer()
  await first.untilReady()

  await deliver(sent)
  await deliver(sent.map((change) => ({ notification: conflictOf(change) })))
  const dead = deadLetters()
  await deliver(dead.map((notification) => ({ notification })))
  const refusals = await sendRefused(providers, gatewayUrl, canaries)

  await look(first)
  first.kill('SIGKILL')
  await first.exited
  const second = await startNormalizer()
  await waitFor('the deduplicator to be at work', () => crashing.output().includes('batch-processed'))
  await look(crashing)
  crashing.kill('SIGUSR2')
  const crash = { exit: await crashing.exited, output: crashing.output() }
  await mishaps
  const deduplicator = await pipeline.service('deduplicator', {})
  await Promise.all([second.untilReady(), deduplicator.untilReady()])

  const withoutRedis = few()
  seen.push(...(await redisMemory(pipeline.redis.redisUrl)))
  await pipeline.redis.stop()
  await deliver(withoutRedis)
  await waitFor('the deduplicator to miss Redis', () => /"event":"redis"/.test(deduplicator.output()))
  await pipeline.redis.start()
  await makeReadable(pipeline.redis.redisUrl)

  const withoutKafka = few()
  await pipeline.kafka.stop()
  const turnedAway = []
  for (const { notification } of withoutKafka) turnedAway.push(await providers.post(gatewayUrl, providers.signed(notification)))
  await pipeline.kafka.start()
  await deliver(withoutKafka)

  return {
    ...{ kafka, keys, gatewayKeys, gateway, gatewayUrl, providers, dead, refusals, turnedAway, crash, seen },
    changes: [...sent, ...withoutRedis, ...withoutKafka],
    lookAtAll: async () => {
      for (const service of [gateway, second, deduplicator, sync, states]) await look(service)
    },
  }
}
