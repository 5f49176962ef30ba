/** The gateway without Kafka, as a ceiling: only what is kept is not kept, and not sealed either, but acknowledged at once. */
import { loadAccounts } from '../../services/gateway/accounts.ts'
import { type GatewayEnv, gatewayEnv } from '../../services/gateway/env.ts'
import { createGateway } from '../../services/gateway/gateway.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { type Running, runService, type ServiceContext } from '../../shared/runtime/service.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey } from '../../shared/security/keys.ts'

async function start(env: GatewayEnv, { log, metrics: registry }: ServiceContext): Promise<Running> {
  const { listen, drain } = createGateway(env, {
    accounts: loadAccounts(env.ACCOUNTS_FILE),
    identity: createIdentity(loadIdentityKey(env.IDENTITY_KEY_FILE).key),
    keep: async () => 'accepted',
    registry,
    log,
  })
  await listen()
  return { ready: () => true, stop: drain }
}

await runService('gateway', () => readEnv(gatewayEnv), start)
