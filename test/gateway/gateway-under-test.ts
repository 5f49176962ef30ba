/** A whole gateway on a free port, with the real app and server; only Kafka is a stand-in, at its edge. */
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { loadAccounts } from '../../services/gateway/accounts.ts'
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import { createApp } from '../../services/gateway/app.ts'
import { createIntake } from '../../services/gateway/intake.ts'
import { createKeep } from '../../services/gateway/keep.ts'
import { createMetrics } from '../../services/gateway/metrics.ts'
import { createRefusalLog } from '../../services/gateway/refusal-log.ts'
import { createAddressList, createRateLimit, senderAddress } from '../../services/gateway/senders.ts'
import { createGatewayServer, type ServerLimits } from '../../services/gateway/server.ts'
import { createSignatureCheck } from '../../services/gateway/signature-check.ts'
import { createSuspects, type Suspects } from '../../services/gateway/suspects.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { Published, RawRecord } from '../../shared/kafka/publisher.ts'
import { allowedOnly, type Log, type LogFields } from '../../shared/runtime/log.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { createRawOpener, createRawSealer } from '../../shared/security/seal-raw.ts'
import { keyPair, pkcs8, type SignedRequest, signAlipayPlus, signParam, spki } from './signing.ts'

export const alipayPlusPath = '/aps/api/v1/authorizations/authNotify'
export const bluePayPath = '/bluepay/notifications'
export const clientId = 'SANDBOX_5YC47N2ZQHJ004124'
export const pathId = 'p7Qk2Vw9Zx4Lr8Tn6Yb1Ac'
export const flatPathId = 'f3Gh5Jk7Mn9Pq2Rs4Tu6Vw'
export const otherPathId = 'o8Wx6Yz4Ab2Cd1Ef3Gh5Ij'

/** An accounts file with one Alipay+ client and three BluePay accounts; `other` has a key of 4096 bits. */
export function accountsFile(overrides: Partial<AccountsFile> = {}): AccountsFile {
  const active = (name: string, bits?: number) => ({ state: 'active' as const, publicKey: spki(keyPair(name, bits)) })
  return {
    alipayplus: {
      path: alipayPlusPath,
      signing: { keyVersion: '7', privateKey: pkcs8(keyPair('answers')) },
      clients: [{ clientId, keys: [{ version: '1', ...active('alipayplus') }] }],
    },
    bluepay: {
      path: bluePayPath,
      accounts: [
        { account: 'demo-ph', pathId, merchantId: 'M-1', style: 'param', keys: [active('bluepay')] },
        { account: 'demo-flat', pathId: flatPathId, merchantId: 'M-2', style: 'flat', zone: '+07:00', keys: [active('bluepay')] },
        { account: 'other', pathId: otherPathId, merchantId: 'M-3', style: 'param', keys: [active('big', 4096)] },
      ],
    },
    ...overrides,
  }
}

export type Settings = {
  accounts?: AccountsFile
  /** Kafka's edge: resolve to acknowledge, reject with PublishError. */
  publish?: (record: RawRecord, until: number) => Promise<Published>
  limits?: Partial<ServerLimits>
  maxInFlightBytes?: number
  ratePerClient?: number
  allowedAddresses?: string
  trustedProxies?: string
  deadlinesMs?: { alipayplus: number; bluepay: number }
  /** Notices overload. Off unless asked for: a test that sends, signs and serves in one process is always overloaded. */
  suspects?: Suspects
}

const neverOverloaded: Suspects = { ...createSuspects(), overloaded: () => false }

export async function startGateway(settings: Settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'))
  const file = join(mkdirSync(join(folder, 'accounts'), { recursive: true }) as string, 'accounts.json')
  writeFileSync(file, JSON.stringify(settings.accounts ?? accountsFile()))
  const sealing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ring = (key: typeof sealing.publicKey) => ({ development: false, keys: [{ kid: 'k', activeFrom: 0, key }] })
  const identity = createIdentity(createSecretKey(Buffer.alloc(32, 7)))
  const published: RawRecord[] = []
  const publish = settings.publish ?? (async (): Promise<Published> => ({ partition: 0, offset: '0' }))
  const logged: LogFields[] = []
  const note = (level: string) => (event: string, fields?: LogFields) =>
    void logged.push({ level, ...allowedOnly({ event, ...fields }) })
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const checks: number[] = []
  const registry = new Registry()
  const { allowedAddresses = '', trustedProxies = '', ratePerClient = 0 } = settings
  const intake = createIntake({ maxInFlightBytes: settings.maxInFlightBytes ?? 64 * 1024 * 1024 })
  const metrics = createMetrics(registry, intake.inFlightBytes)
  const isTrustedProxy = createAddressList('TRUSTED_PROXIES', trustedProxies)
  const isAllowed = createAddressList('ALLOWED_ADDRESSES', allowedAddresses)
  const keep = createKeep({
    publisher: {
      async publish(record, until) {
        const answer = await publish(record, until)
        published.push(record)
        return answer
      },
    },
    sealer: createRawSealer(ring(sealing.publicKey)),
    topics: topicNames('t.'),
  })
  const app = createApp(
    {
      identity,
      verifies: createSignatureCheck((bits) => checks.push(bits)),
      intake,
      keep,
      admits: (address, forwarded) => allowedAddresses === '' || isAllowed(senderAddress(address, forwarded, isTrustedProxy)),
      withinRate: createRateLimit(ratePerClient),
      metrics,
      logRefusal: createRefusalLog(log),
      log,
      deadlinesMs: settings.deadlinesMs ?? { alipayplus: 500, bluepay: 500 },
      freshnessMs: 72 * 60 * 60 * 1000,
    },
    loadAccounts(file),
  )
  const { server, listen, drain } = createGatewayServer(app.handle, {
    headersTimeoutMs: 5_000,
    requestTimeoutMs: 10_000,
    keepAliveTimeoutMs: 5_000,
    maxConnections: 4_096,
    maxConnectionsPerAddress: 4_096,
    ...settings.limits,
    isTrustedProxy,
    suspects: settings.suspects ?? neverOverloaded,
    onCut: (reason) => metrics.connectionsCut.inc({ reason }),
  })
  const port = await listen('127.0.0.1', 0)

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    folder,
    file,
    published,
    logged,
    log,
    /** Sizes in bits of the RSA verifications done so far. */
    checks,
    registry,
    intake,
    identity,
    drain,
    replaceAccounts: app.replaceAccounts,
    opener: createRawOpener(ring(sealing.privateKey)),
    async close(): Promise<void> {
      server.closeAllConnections()
      await drain()
      rmSync(folder, { recursive: true })
    },
  }
}
export type GatewayUnderTest = Awaited<ReturnType<typeof startGateway>>

export const nowText = () => new Date().toISOString()

const notification = {
  authorizationNotifyType: 'TOKEN_CREATED',
  authClientId: '218823863726123456789',
  accessToken: '281010033AB2F588D14B4323863726123456789',
}

/** A request that Alipay+ could send now. */
export const alipayPlusRequest = (overrides: Partial<Parameters<typeof signAlipayPlus>[0]> = {}): SignedRequest =>
  signAlipayPlus({
    path: alipayPlusPath,
    clientId,
    time: nowText(),
    keyVersion: '1',
    body: Buffer.from(JSON.stringify(notification)),
    pair: keyPair('alipayplus'),
    ...overrides,
  })

export const bluePayParam =
  '{"channelCode":"PH_GCASH_DIRECT_DEBIT","countryCode":"PH","eventName":"token.create.success","paytoken":"TK1U2ODY9EPKRSOSU9","requestId":"Joeyi2qzl5pv1a4wpxxxv100","tokenStatus":"ACTIVED","userId":"u00012"}'

export const bluePayRequest = (body: Buffer = signParam(bluePayParam, keyPair('bluepay')), id = pathId): SignedRequest => ({
  path: `${bluePayPath}/${id}`,
  headers: { 'Content-Type': 'application/json' },
  body,
})

export type Reply = { status: number; headers: Headers; body: string }

export async function send(gateway: { url: string }, { path, headers, body }: SignedRequest, method = 'POST'): Promise<Reply> {
  const response = await fetch(gateway.url + path, {
    method,
    headers,
    ...(method === 'GET' ? {} : { body: Uint8Array.from(body) }),
  })
  return { status: response.status, headers: response.headers, body: await response.text() }
}

/** What Alipay+ reads of an answer, or BluePay's code. */
export function verdictOf({ body }: { body: string }): string {
  const { result, code } = JSON.parse(body) as { result?: { resultStatus: string; resultCode: string }; code?: number }
  return result ? `${result.resultStatus} ${result.resultCode}` : String(code)
}
