/** The app in its server, as the environment sets them; only where a notification is kept comes from outside. */
import type { Registry } from 'prom-client'
import type { Log } from '../../shared/runtime/log.ts'
import type { Identity } from '../../shared/security/identity.ts'
import type { Accounts } from './accounts.ts'
import { createApp } from './app.ts'
import type { GatewayEnv } from './env.ts'
import { createIntake } from './intake.ts'
import type { Keep } from './keep.ts'
import { createMetrics } from './metrics.ts'
import { createRefusalLog } from './refusal-log.ts'
import { createAddressList, createRateLimit, senderAddress } from './senders.ts'
import { createGatewayServer } from './server.ts'
import { createSignatureCheck } from './signature-check.ts'
import { createSuspects } from './suspects.ts'

type Parts = { accounts: Accounts; identity: Identity; keep: Keep; registry: Registry; log: Log }

export function createGateway(env: GatewayEnv, { accounts, identity, keep, registry, log }: Parts) {
  const isTrustedProxy = createAddressList('TRUSTED_PROXIES', env.TRUSTED_PROXIES)
  const isAllowed = createAddressList('ALLOWED_ADDRESSES', env.ALLOWED_ADDRESSES)
  const intake = createIntake({ maxInFlightBytes: env.MAX_IN_FLIGHT_BYTES })
  const metrics = createMetrics(registry, intake.inFlightBytes)
  const app = createApp(
    {
      identity,
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
  return {
    metrics,
    replaceAccounts: app.replaceAccounts,
    drain,
    async listen(): Promise<void> {
      const port = await listen(env.GATEWAY_HOST, env.GATEWAY_PORT)
      log.info('listening', { port, url: `http://${env.GATEWAY_HOST}:${port}` })
    },
  }
}
