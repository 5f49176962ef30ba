/** The gateway process: takes signed notifications over HTTP, keeps them in Kafka, answers. */
import cluster from 'node:cluster'
import { topicNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { createPublisher } from '../../shared/kafka/publisher.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { type Running, runService, type ServiceContext } from '../../shared/runtime/service.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey, loadKeyRing, refuseDevelopmentKeys } from '../../shared/security/keys.ts'
import { createRawSealer } from '../../shared/security/seal-raw.ts'
import { loadAccounts } from './accounts.ts'
import { type GatewayEnv, gatewayEnv } from './env.ts'
import { createGateway } from './gateway.ts'
import { createKeep } from './keep.ts'
import { reportToFirst, startProcesses } from './processes.ts'
import { watchAccounts } from './watch-accounts.ts'

/** At a stop, requests in hand have this long for Kafka; less than a supervisor's usual 30 s, whatever a sender would wait. */
const stopGraceMs = 10_000

async function start(env: GatewayEnv, { log, metrics: registry }: ServiceContext): Promise<Running> {
  const brokers = env.KAFKA_BROKERS.split(',')
  const recipients = loadKeyRing(env.RAW_PUBLIC_KEYS_FILE, 'public')
  const identityKey = loadIdentityKey(env.IDENTITY_KEY_FILE)
  const load = () => {
    const accounts = loadAccounts(env.ACCOUNTS_FILE)
    refuseDevelopmentKeys(brokers, [{ name: env.ACCOUNTS_FILE, development: accounts.development }])
    return accounts
  }
  refuseDevelopmentKeys(brokers, [
    { name: env.RAW_PUBLIC_KEYS_FILE, development: recipients.development },
    { name: env.IDENTITY_KEY_FILE, development: identityKey.development },
  ])
  const accounts = load()
  for (const reason of accounts.warnings) log.warn('accounts-warning', { reason })

  const topics = topicNames(env.TOPIC_PREFIX)
  const publisher = createPublisher({
    kafka: createKafka(env, 'gateway', log),
    topics: Object.values(topics.raw),
    log,
    maxQueuedBytes: env.MAX_QUEUED_BYTES,
  })

  const keep = createKeep({ publisher, sealer: createRawSealer(recipients), topics })
  const { metrics, replaceAccounts, listen, drain } = createGateway(env, {
    accounts,
    identity: createIdentity(identityKey.key),
    keep,
    registry,
    log,
  })
  await listen()
  // The frame of every service takes SIGHUP for a stop; here it means: read the accounts again.
  process.removeAllListeners('SIGHUP')
  const watching = watchAccounts({
    current: accounts,
    load,
    onAccounts: (changed) => {
      replaceAccounts(changed)
      metrics.accountsReloads.inc({ result: 'accepted' })
    },
    onRefused: () => metrics.accountsReloads.inc({ result: 'refused' }),
    log,
  })

  return {
    ready: publisher.ready,
    async stop() {
      watching.stop()
      // Those who wait for Kafka longer than this are told to call again.
      const inTime = setTimeout(publisher.giveUp, stopGraceMs)
      await drain()
      clearTimeout(inTime)
      await publisher.stop()
    },
  }
}

await runService(
  'gateway',
  () => readEnv(gatewayEnv),
  async (env, context) => {
    if (cluster.isWorker) return reportToFirst(await start(env, context))
    return env.GATEWAY_PROCESSES > 1 ? startProcesses(env.GATEWAY_PROCESSES, context) : start(env, context)
  },
)
