/**
 * Shows, with figures, that a hostile crowd neither shuts an honest sender out nor fills the memory: `npm run load:hostile`. Three processes:
 * the gateway with its production limits (Kafka's acknowledgement stood in for, after 5 ms), the crowd, and the honest sender, which sends
 * 20 notifications a second over one connection at a time. Exit 1 if one of them was not acknowledged or memory grew past the limit.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import { createSuspects } from '../../services/gateway/suspects.ts'
import { accountsFile, alipayPlusRequest, startGateway } from './gateway-under-test.ts'
import { attackNames } from './hostile-crowd.ts'

const secondsEach = 12
const honestPerSecond = 20
/** As a container of 1 GiB would set it. Without a limit V8 lets garbage lie on a machine with much memory, and figures mean little. */
const heapMebibytes = 256
const maxRssBytes = 768 * 1024 * 1024

type Figures = { rss: number; inFlightBytes: number; cut: number }

if (process.argv[2] === 'gateway') await serve()
else await main()

async function serve(): Promise<void> {
  const [accounts] = (await once(process, 'message')) as [AccountsFile]
  const gateway = await startGateway({
    accounts,
    limits: { maxConnections: 4_096, maxConnectionsPerAddress: 512, headersTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
    suspects: createSuspects(),
    maxInFlightBytes: 128 * 1024 * 1024,
    deadlinesMs: { alipayplus: 3_000, bluepay: 60_000 },
    publish: async () => sleep(5, { partition: 0, offset: '0' }),
  })
  let [rss, inFlightBytes] = [0, 0]
  setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss())
    inFlightBytes = Math.max(inFlightBytes, gateway.intake.inFlightBytes())
    // The stand-ins keep all they see; the gateway does not.
    gateway.published.length = 0
    gateway.logged.length = 0
    gateway.checks.length = 0
  }, 50)
  process.on('message', async () => {
    const cut = await gateway.registry.getSingleMetric('gateway_connections_cut_total')?.get()
    process.send?.({ rss, inFlightBytes, cut: cut?.values.reduce((sum, { value }) => sum + value, 0) ?? 0 })
    rss = 0
    inFlightBytes = 0
  })
  process.send?.({ port: gateway.port })
}

async function main(): Promise<void> {
  const gateway = fork(new URL(import.meta.url).pathname, ['gateway'], { execArgv: [`--max-old-space-size=${heapMebibytes}`] })
  const { port } = await ask<{ port: number }>(gateway, accountsFile())
  const crowd = fork(new URL('./hostile-crowd.ts', import.meta.url).pathname, ['crowd'])
  const failures: string[] = []
  console.log(`${secondsEach} s each, ${honestPerSecond} honest notifications a second; latencies in ms\n`)
  console.log(row('the crowd does', 'made', 'cut off', 'honest', 'acked', 'p50', 'p99', 'max', 'RSS MiB', 'bodies MiB'))
  let cutBefore = 0
  for (const attack of ['nothing', ...attackNames, 'nothing any more']) {
    await ask(crowd, { port, ...(attack.startsWith('nothing') ? {} : { attack }) })
    await ask<Figures>(gateway, {})
    const latencies = await sendHonestly(port)
    const { rss, inFlightBytes, cut } = await ask<Figures>(gateway, {})
    const { made } = await ask<{ made: number }>(crowd, { port })
    const acked = latencies.filter((latency) => latency !== undefined).sort((a, b) => a - b)
    const at = (share: number) => (acked[Math.min(acked.length - 1, Math.floor(acked.length * share))] ?? Number.NaN).toFixed(0)
    const mebibytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(0)
    const counts = [made, cut - cutBefore, latencies.length, acked.length]
    console.log(row(attack, ...counts.map(String), at(0.5), at(0.99), at(1), mebibytes(rss), mebibytes(inFlightBytes)))
    cutBefore = cut
    if (acked.length < latencies.length)
      failures.push(`${attack}: ${latencies.length - acked.length} honest notifications were not acknowledged`)
    if (rss > maxRssBytes) failures.push(`${attack}: RSS of ${mebibytes(rss)} MiB`)
  }
  console.log(
    failures.length > 0 ? `\n${failures.join('\n')}` : '\nEvery honest notification was acknowledged; memory stayed bounded.',
  )
  gateway.kill()
  crowd.kill()
  process.exitCode = failures.length > 0 ? 1 : 0
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(40) + cells.map((cell) => cell.padStart(11)).join('')
}

async function ask<T>(child: ChildProcess, message: object): Promise<T> {
  child.send(message)
  const [answer] = (await once(child, 'message')) as [T]
  return answer
}

/** Latencies in ms, undefined where there was no acknowledgement. Each on a new connection: those must still get in. */
async function sendHonestly(port: number): Promise<(number | undefined)[]> {
  const sent: Promise<number | undefined>[] = []
  for (let n = 0; n < secondsEach * honestPerSecond; n++) {
    sent.push(sendOne(port, n))
    await sleep(1_000 / honestPerSecond)
  }
  return Promise.all(sent)
}

function sendOne(port: number, n: number): Promise<number | undefined> {
  const body = Buffer.from(`{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":"218","authCode":"code-${n}"}`)
  const { path, headers } = alipayPlusRequest({ body })
  const begun = performance.now()
  return new Promise((resolve) => {
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path,
      headers,
      agent: new Agent({ keepAlive: false }),
    })
    request.setTimeout(5_000, () => request.destroy())
    request.on('error', () => resolve(undefined))
    request.on('response', (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve(text.includes('"resultStatus":"S"') ? performance.now() - begun : undefined))
      response.on('error', () => resolve(undefined))
    })
    request.end(body)
  })
}
