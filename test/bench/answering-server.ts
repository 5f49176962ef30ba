/**
 * The gateway without Kafka, as a ceiling: its app, server and settings, composed as its `main.ts` does; only what is kept is not kept, and
 * not sealed either, but acknowledged at once.
 */
import { loadAccounts } from '../../services/gateway/accounts.ts'
import { createApp } from '../../services/gateway/app.ts'
import { type GatewayEnv, gatewayEnv } from '../../services/gateway/env.ts'
import { createIntake } from '../../services/gateway/intake.ts'
import { createMetrics } from '../../services/gateway/metrics.ts'
import { createRefusalLog } from '../../services/gateway/refusal-log.ts'
import { createAddressList, createRateLimit, senderAddress } from '../../services/gateway/senders.ts'
import { createGatewayServer } from '../../services/gateway/server.ts'
import { createSignatureCheck } from '../../services/gateway/signature-check.ts'
import { createSuspects } from '../../services/gateway/suspects.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { type Running, runService, type ServiceContext } from '../../shared/runtime/service.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey } from '../../shared/security/keys.ts'

async function start(env: GatewayEnv, { log, metrics: registry }: ServiceContext): Promise<Running> {
  const isTrustedProxy = createAddressList('TRUSTED_PROXIES', env.TRUSTED_PROXIES)
  const isAllowed = createAddressList('ALLOWED_ADDRESSES', env.ALLOWED_ADDRESSES)
  const intake = createIntake({ maxInFlightBytes: env.MAX_IN_FLIGHT_BYTES })
  const metrics = createMetrics(registry, intake.inFlightBytes)
  const app = createApp(
    {
      identity: createIdentity(loadIdentityKey(env.IDENTITY_KEY_FILE).key),
      verifies: createSignatureCheck((bits) => metrics.signatureChecks.inc({ bits })),
      intake,
      keep: async () => 'accepted',
      admits: (address, forwardedFor) =>
        env.ALLOWED_ADDRESSES === '' || isAllowed(senderAddress(address, forwardedFor, isTrustedProxy)),
      withinRate: createRateLimit(env.RATE_LIMIT_PER_CLIENT),
      metrics,
      logRefusal: createRefusalLog(log),
      log,
      deadlinesMs: { alipayplus: env.ALIPAYPLUS_DEADLINE_MS, bluepay: env.BLUEPAY_DEADLINE_MS },
      freshnessMs: env.FRESHNESS_HOURS * 60 * 60 * 1000,
    },
    loadAccounts(env.ACCOUNTS_FILE),
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
  return { ready: () => true, stop: drain }
}

await runService('gateway', () => readEnv(gatewayEnv), start)
