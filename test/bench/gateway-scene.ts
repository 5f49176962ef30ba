/** The gateway as the benchmarks measure it: its own process, on topics of its own, behind what ends TLS before it in production. */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { defaultCounts, type Provider } from '../../shared/contracts/topics.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { loadKeyRing } from '../../shared/security/keys.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import { writeTestKeys } from '../fixtures/keys.ts'
import { readAll } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import type { World } from './bench.ts'
import { acknowledgement, benchAccounts, type SignedText, sealedFor, signedRequests } from './notifications.ts'

/** As in production. */
export const { partitions } = defaultCounts

/** `probeUrl` has the gateway's /metrics. */
export type Server = { url: string; pid: number; probeUrl: string }

/** What a gateway needs to start; it reads the key files of this folder. */
export function gatewayEnvironment(dir: string, brokers: string, prefix = ''): Record<string, string> {
  const keys = writeTestKeys(dir)
  const accounts = join(dir, 'accounts.json')
  writeFileSync(accounts, JSON.stringify(benchAccounts()))
  return {
    KAFKA_BROKERS: brokers,
    TOPIC_PREFIX: prefix,
    ACCOUNTS_FILE: accounts,
    RAW_PUBLIC_KEYS_FILE: keys.rawPublic,
    IDENTITY_KEY_FILE: keys.identity,
    GATEWAY_PORT: '0',
    // All load comes from one address, as from the proxy that ends TLS, so it is exempt from the limits per address. All other settings have
    // their defaults: no rate limit per client, and 64 MiB of records and 4,096 connections are more than is ever waiting here.
    TRUSTED_PROXIES: '127.0.0.1',
  }
}

/** Starts the real gateway, or a server of this folder; resolves once it listens, whether or not it is ready. */
export async function startServer(world: World, env: Record<string, string>, script?: string): Promise<Server> {
  const file = script && join(import.meta.dirname, script)
  const service = await startService(world, file ? basename(file, '.ts') : 'gateway', env, file)
  let ended = false
  void service.exited.then(() => {
    ended = true
  })
  const url = await waitFor(`${service.name} to listen`, () => {
    const url = service.lines().find(({ event }) => event === 'listening')?.url
    if (!url && ended) throw new Error(service.output())
    return url as string | undefined
  })
  return { url, pid: service.pid, probeUrl: service.probeUrl }
}

export async function untilReady({ probeUrl }: Server): Promise<void> {
  await waitFor('the gateway to be ready', async () => (await fetch(`${probeUrl}/readyz`)).ok)
}

/**
 * A gateway before the world's Kafka. First it has to show that it does all that is measured: each notification of the load is sent once, and one
 * with a byte changed; the former, and nothing else, must be in the topic, sealed, to the byte.
 */
export async function openGateway(world: World, provider: Provider) {
  const { topics, prefix, kafka } = await createTopicSet(world, { partitions })
  const topic = topics.raw[provider]
  const env = gatewayEnvironment(world.dir, world.brokers, prefix)
  const server = await startServer(world, env)
  await untilReady(server)
  const facts = await openTopicFacts(kafka)
  world.teardown(facts.close)
  const requests = signedRequests(provider)

  const [first] = requests as [SignedText]
  if (await isAcknowledged(provider, server, { ...first, body: first.body.replace('xx', 'xy') }))
    throw new Error('The gateway acknowledged a notification that was altered after it was signed.')
  await expectAcknowledged(provider, server, requests)
  const records = await readAll(topic)
  const opener = createRawOpener(loadKeyRing(join(world.dir, 'raw.private.json'), 'private'))
  const opened = records.map(({ value }) => opener.open(provider, sealedFor[provider], value as Buffer)?.toString())
  const sent = requests.map(({ body }) => body)
  if (!isDeepStrictEqual(opened.sort(), sent.sort())) throw new Error(`${topic} does not hold exactly what was acknowledged.`)

  let received = records.length
  return {
    server,
    env,
    /** What the gateway wrote, one record for each notification. */
    records,
    /**
     * Tells how many more acknowledgements the senders got. Throws if the gateway counts fewer, or the topic has fewer records than the
     * gateway counts: its count, unlike the senders', has those whose sender had ended before the answer.
     */
    async expectStored(more: number): Promise<void> {
      received += more
      const accepted = await acceptedBy(server, provider)
      const stored = [...(await facts.allBounds(topic)).values()].reduce((sum, { high }) => sum + high, 0)
      if (!(received <= accepted && accepted <= stored))
        throw new Error(
          `Senders got ${received} acknowledgements, the gateway gave ${accepted}, and ${topic} has ${stored} records.`,
        )
    },
  }
}

async function acceptedBy({ probeUrl }: Server, provider: Provider): Promise<number> {
  const metrics = await (await fetch(`${probeUrl}/metrics`)).text()
  const name = `gateway_requests_total{provider="${provider}",result="accepted"} `
  return Number(
    metrics
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(name.length),
  )
}

/** Sends each once; throws if one is not acknowledged. */
export async function expectAcknowledged(provider: Provider, server: Server, requests: SignedText[]): Promise<void> {
  for (const request of requests)
    if (!(await isAcknowledged(provider, server, request))) throw new Error('The gateway did not acknowledge a notification.')
}

async function isAcknowledged(provider: Provider, { url }: Server, { path, headers, body }: SignedText): Promise<boolean> {
  const response = await fetch(url + path, { method: 'POST', headers, body })
  return (await response.text()).includes(acknowledgement[provider])
}
