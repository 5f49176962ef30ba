/** The gateway as a process of its own, without Kafka: what it needs to start, what it says without Kafka, how it stops. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../deploy/local/free-ports.ts'
import { writeTestKeys } from '../fixtures/keys.ts'
import { waitFor } from '../support/wait-for.ts'
import { accountsFile, alipayPlusPath, alipayPlusRequest, bluePayRequest, send, verdictOf } from './gateway-under-test.ts'
import { answerVerifies, keyPair } from './signing.ts'

const main = new URL('../../services/gateway/main.ts', import.meta.url).pathname

function environment(folder: string, accounts: object = { ...accountsFile(), development: true }): Record<string, string> {
  const keys = writeTestKeys(folder)
  const file = join(folder, 'accounts.json')
  writeFileSync(file, JSON.stringify(accounts))
  return {
    // Nobody listens on port 1.
    KAFKA_BROKERS: '127.0.0.1:1',
    ACCOUNTS_FILE: file,
    RAW_PUBLIC_KEYS_FILE: keys.rawPublic,
    IDENTITY_KEY_FILE: keys.identity,
    GATEWAY_PORT: '0',
    ALIPAYPLUS_DEADLINE_MS: '300',
    BLUEPAY_DEADLINE_MS: '400',
    LOG_LEVEL: 'debug',
  }
}

function run(env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [main], { env: { PATH: process.env.PATH ?? '', ...env } })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output += chunk
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const line = async (event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = output.split('\n').find((each) => each.includes(`"event":"${event}"`))
      if (found) return JSON.parse(found)
      if (child.exitCode !== null) throw new Error(output)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, exited, line, output: () => output, probePort: env.PROBE_PORT }
}

t.test('without configuration: one message with everything that is missing, and exit 1', async (t) => {
  const { exited, output } = run({})
  t.equal(await exited, 1)
  for (const name of ['KAFKA_BROKERS', 'ACCOUNTS_FILE', 'RAW_PUBLIC_KEYS_FILE', 'IDENTITY_KEY_FILE'])
    t.match(output(), `${name} is not set`)
})

t.test('what it cannot start with is one clear reason, and exit 1', async (t) => {
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const good = environment(t.testdir())
  const cases: [Record<string, string>, RegExp][] = [
    [
      { ...good, KAFKA_BROKERS: 'kafka.example:9092' },
      /development keys, but KAFKA_BROKERS names brokers that are not on loopback/,
    ],
    [{ ...good, GATEWAY_PORT: String(port) }, /GATEWAY_PORT \d+ on 127\.0\.0\.1 is in use/],
    [{ ...good, ALLOWED_ADDRESSES: 'everybody' }, /ALLOWED_ADDRESSES: everybody is neither/],
    [{ ...good, RAW_PUBLIC_KEYS_FILE: '/nowhere' }, /Key file \/nowhere cannot be read \(ENOENT\)/],
    [{ ...good, ACCOUNTS_FILE: good.IDENTITY_KEY_FILE as string }, /Accounts file .*member that is not known here: keys/s],
    [
      { ...good, ALIPAYPLUS_DEADLINE_MS: '5000', FRESHNESS_HOURS: '1' },
      /ALIPAYPLUS_DEADLINE_MS .*FRESHNESS_HOURS|FRESHNESS_HOURS .*ALIPAYPLUS/s,
    ],
  ]
  await Promise.all(
    cases.map(async ([env, reason]) => {
      const { exited, output } = run(env)
      t.equal(await exited, 1, String(reason))
      t.match(output(), reason)
    }),
  )
})

t.test('Kafka away: alive, not ready, and each provider is told to call again in its time; SIGTERM ends it', async (t) => {
  const probePort = await freePort()
  const gateway = run({ ...environment(t.testdir()), PROBE_PORT: String(probePort) })
  t.teardown(() => gateway.child.kill('SIGKILL'))
  const { url } = (await gateway.line('listening')) as { url: string }

  const begun = Date.now()
  const [alipayPlus, bluePay] = await Promise.all([send({ url }, alipayPlusRequest()), send({ url }, bluePayRequest())])
  t.equal(verdictOf(alipayPlus), 'U UNKNOWN_EXCEPTION')
  t.ok(answerVerifies(alipayPlusPath, alipayPlus.headers, alipayPlus.body, keyPair('answers')))
  t.same([bluePay.status, verdictOf(bluePay)], [503, '503'])
  t.ok(Date.now() - begun < 5_000)

  const probes = `http://127.0.0.1:${probePort}`
  t.equal((await fetch(`${probes}/livez`)).status, 200)
  t.equal((await fetch(`${probes}/readyz`)).status, 503)
  t.match(await (await fetch(`${probes}/metrics`)).text(), /gateway_requests_total\{provider="bluepay",result="unavailable"\} 1/)

  gateway.child.kill('SIGTERM')
  t.equal(await gateway.exited, 0)
  await t.rejects(send({ url }, alipayPlusRequest()))
  t.notOk(gateway.output().includes(bluePayRequest().path.split('/').at(-1) as string), 'the path id is in no line, at debug')
})

t.test(
  'a broken accounts file leaves the old one in force in the running process; SIGHUP and a change are noticed',
  async (t) => {
    const folder = t.testdir()
    const env = environment(folder)
    const gateway = run(env)
    t.teardown(() => gateway.child.kill('SIGKILL'))
    const { url } = (await gateway.line('listening')) as { url: string }
    writeFileSync(env.ACCOUNTS_FILE as string, '{ "alipayplus": ')
    t.match(await gateway.line('accounts-refused'), { level: 'error', reason: /The accounts before stay in force/ })
    t.equal(verdictOf(await send({ url }, alipayPlusRequest())), 'U UNKNOWN_EXCEPTION', 'still verified by the old ones')
    writeFileSync(env.ACCOUNTS_FILE as string, JSON.stringify({ ...accountsFile(), development: true }))
    gateway.child.kill('SIGHUP')
    await gateway.line('accounts-reloaded')
    gateway.child.kill('SIGTERM')
    t.equal(await gateway.exited, 0)
  },
)

t.test(
  'several processes behind one port: each answers, one that dies is replaced, metrics are summed, SIGTERM ends all',
  async (t) => {
    const gateway = run({ ...environment(t.testdir()), GATEWAY_PROCESSES: '2', PROBE_PORT: String(await freePort()) })
    t.teardown(() => gateway.child.kill('SIGKILL'))
    await gateway.line('processes-started')
    const lines = () =>
      gateway
        .output()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    const { url } = (await gateway.line('listening')) as { url: string }
    const pids = () =>
      lines().flatMap(({ event, pid }) => (event === 'started' && pid !== gateway.child.pid ? [Number(pid)] : []))
    await waitFor('both to have started', () => pids().length === 2)
    const listening = () => lines().filter(({ event }) => event === 'listening').length
    t.equal(listening(), 2)

    const answers = await Promise.all(Array.from({ length: 6 }, () => send({ url }, bluePayRequest())))
    t.same([...new Set(answers.map(verdictOf))], ['503'], 'Kafka is away')
    const metrics = async () => (await fetch(`http://127.0.0.1:${gateway.probePort}/metrics`)).text()
    t.match(await metrics(), /gateway_requests_total\{provider="bluepay",result="unavailable"\} 6/)

    process.kill(pids()[0] as number, 'SIGKILL')
    await gateway.line('process-ended')
    await waitFor('a new one', () => listening() === 3)
    t.equal(verdictOf(await send({ url }, alipayPlusRequest())), 'U UNKNOWN_EXCEPTION')
    gateway.child.kill('SIGTERM')
    t.equal(await gateway.exited, 0)
    const alive = pids().filter(isAlive)
    t.same(alive, [], 'none is left')
  },
)

t.test('one of several processes that cannot start ends them all with its reason', async (t) => {
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { exited, output } = run({ ...environment(t.testdir()), GATEWAY_PROCESSES: '2', GATEWAY_PORT: String(port) })
  t.equal(await exited, 1)
  t.match(output(), /GATEWAY_PORT \d+ on 127\.0\.0\.1 is in use/)
  t.match(output(), /A gateway process \(pid \d+\) ended with exit code 1/)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
