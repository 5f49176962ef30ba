/** Kafka, Redis, the services and the operator as processes whose every file lies in one folder: what they leave behind can be scanned. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type OwnedProcess, startOwned } from '../../deploy/local/owned-process.ts'
import { mainOf, nodeBinary } from '../../deploy/local/run-operator.ts'
import { startStack } from '../../deploy/local/start-stack.ts'
import { waitFor } from '../support/wait-for.ts'

type Env = Record<string, string>
export type OwnService = OwnedProcess & { untilReady: () => Promise<void>; page: (path: string) => Promise<string> }
/** Kafka or Redis alone: a stack whose other half is said to be elsewhere, so that each can be stopped for a while. */
export type Half = { stop: () => Promise<void>; start: () => Promise<void> }

const elsewhere = { kafka: { redisUrl: 'redis://127.0.0.1:1' }, redis: { brokers: '127.0.0.1:1' } }
const readyTimeoutMs = 60_000

export async function startOwnPipeline(folder: string) {
  const [logs, work, temporary] = ['logs', 'work', 'tmp'].map((name) => join(folder, name)) as [string, string, string]
  for (const each of [logs, work, temporary]) mkdirSync(each, { recursive: true })
  const running: OwnedProcess[] = []
  let started = 0

  async function half(kind: 'kafka' | 'redis') {
    const options = { dir: join(folder, kind), log: () => {}, external: elsewhere[kind] }
    let stack = await startStack(options)
    const own: Half = {
      async stop() {
        await stack.stop()
        // A start begins its logs anew.
        cpSync(join(folder, kind, 'logs'), join(logs, `${kind}-${++started}`), { recursive: true })
      },
      async start() {
        stack = await startStack(options)
      },
    }
    return { ...own, brokers: stack.brokers, redisUrl: stack.redisUrl }
  }
  const halves = await Promise.allSettled([half('kafka'), half('redis')])
  const [kafka, redis] = halves.map((settled) => (settled.status === 'fulfilled' ? settled.value : undefined))
  if (!kafka || !redis) {
    await Promise.all([kafka?.stop(), redis?.stop()])
    throw halves.map((settled) => settled.status === 'rejected' && settled.reason).find(Boolean)
  }
  const base = { PATH: process.env.PATH ?? '', HOME: work, TMPDIR: temporary, KAFKA_BROKERS: kafka.brokers }

  async function run(name: string, args: string[], env: Env): Promise<OwnedProcess> {
    const logFile = join(logs, `${++started}-${name}.log`)
    const owned = await startOwned({ name, command: nodeBinary, args, env: { ...base, ...env }, logFile, cwd: work })
    running.push(owned)
    return owned
  }

  return {
    kafka: { brokers: kafka.brokers, stop: kafka.stop, start: kafka.start },
    redis: { redisUrl: redis.redisUrl, stop: redis.stop, start: redis.start },
    async service(name: string, env: Env): Promise<OwnService> {
      const port = await freePort()
      const owned = await run(name, [mainOf(name)], {
        REDIS_URL: redis.redisUrl,
        LOG_LEVEL: 'debug',
        PROBE_PORT: String(port),
        ...env,
      })
      const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
      const untilReady = async () => {
        await waitFor(`${name} to be ready`, async () => owned.exit() !== undefined || (await get('/readyz')).ok, {
          timeoutMs: readyTimeoutMs,
        })
        if (owned.exit()) throw new Error(`${name} ended before it was ready:\n${owned.output()}`)
      }
      return { ...owned, untilReady, page: async (path) => (await get(path)).text() }
    },
    /** One command to its end. */
    async operator(args: string[], env: Env = {}) {
      const owned = await run('operator', [mainOf('operator'), ...args], env)
      const { code } = await owned.exited
      return { code, output: owned.output() }
    },
    /** Against the order of the flow, so that nothing new comes in. */
    async stop() {
      await Promise.all(running.map((owned) => owned.exit() ?? owned.stop()))
      await Promise.all([kafka.stop(), redis.stop()])
    },
  }
}
export type OwnPipeline = Awaited<ReturnType<typeof startOwnPipeline>>
