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
import { createApp } from './app.ts'
import { type GatewayEnv, gatewayEnv } from './env.ts'
import { createIntake } from './intake.ts'
import { createKeep } from './keep.ts'
import { createMetrics } from './metrics.ts'
import { reportToFirst, startProcesses } from './processes.ts'
import { createRefusalLog } from './refusal-log.ts'
import { createAddressList, createRateLimit, senderAddress } from './senders.ts'
import { createGatewayServer } from './server.ts'
import { createSignatureCheck } from './signature-check.ts'
import { createSuspects } from './suspects.ts'
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

  const isTrustedProxy = createAddressList('TRUSTED_PROXIES', env.TRUSTED_PROXIES)
  const isAllowed = createAddressList('ALLOWED_ADDRESSES', env.ALLOWED_ADDRESSES)
  const topics = topicNames(env.TOPIC_PREFIX)
  const publisher = createPublisher({
    kafka: createKafka(env, 'gateway', log),
    topics: Object.values(topics.raw),
    log,
    maxQueuedBytes: env.MAX_QUEUED_BYTES,
  })

  const intake = createIntake({ maxInFlightBytes: env.MAX_IN_FLIGHT_BYTES })
  const metrics = createMetrics(registry, intake.inFlightBytes)
  const keep = createKeep({ publisher, sealer: createRawSealer(recipients), topics })
  const app = createApp(
    {
      identity: createIdentity(identityKey.key),
      verifies: createSignatureCheck((bits) => metrics.signatureChecks.inc({ bits })),
      intake,
      keep,
      admits: (address, forwardedFor) =>
        env.ALLOWED_ADDRESSES === '' || isAllowed(senderAddress(address, forwardedFor, isTrustedProxy)),
      withinRate: createRateLimit(env.RATE_LIMIT_PER_CLIENT),
      metrics,
      logRefusal: createRefusalLog(log),
      log,
      deadlinesMs: { alipayplus: env.ALIPAYPLUS_DEADLINE_MS, bluepay: env.BLUEPAY_DEADLINE_MS },
      freshnessMs: env.FRESHNESS_HOURS * 60 * 60 * 1000,
    },
    accounts,
  )
  const { listen, drain } = createGatewayServer(app.handle, {
    headersTimeoutMs: env.HEADERS_TIMEOUT_MS,
    requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
    keepAliveTimeoutMs: env.KEEP_ALIVE_TIMEOUT_MS,
    maxConnections: env.MAX_CONNECTIONS,
    maxConnectionsPerAddress: env.MAX_CONNECTIONS_PER_ADDRESS,
    isTrustedProxy,
    suspects: createSuspects(),
    onCut: (reason) => metrics.connectionsCut.inc({ reason }),
    onConnections: (open) => metrics.connections.set(open),
  })

  const port = await listen(env.GATEWAY_HOST, env.GATEWAY_PORT)
  log.info('listening', { port, url: `http://${env.GATEWAY_HOST}:${port}` })
  // The frame of every service takes SIGHUP for a stop; here it means: read the accounts again.
  process.removeAllListeners('SIGHUP')
  const watching = watchAccounts({
    current: accounts,
    load,
    onAccounts: (changed) => {
      app.replaceAccounts(changed)
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
