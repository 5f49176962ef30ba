/** One Redis of the fault world: a process that may be killed, hung and started again, on its data, on other data or on none. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../../../deploy/local/free-ports.ts'
import { type LocalRedis, startRedis } from '../../../deploy/local/redis.ts'

export type RedisServer = {
  name: string
  port: number
  dataDir: string
  /** Starts it, if need be without its data, and waits until it has loaded them. */
  start: (options?: { empty?: boolean; settings?: Record<string, string> }) => Promise<void>
  isRunning: () => boolean
  /** kill -9. */
  kill: () => Promise<void>
  signal: (signal: 'SIGSTOP' | 'SIGCONT') => void
  /** Past any proxy. */
  command: (...words: [string, ...(string | number)[]]) => Promise<unknown>
  /** The lines of INFO. */
  info: () => Promise<Record<string, string>>
  stop: () => Promise<void>
}

export async function createRedisServer(name: string, folder: string, log: (line: string) => void): Promise<RedisServer> {
  const port = await freePort()
  const dataDir = join(folder, name)
  let running: LocalRedis | undefined
  let client: Redis | undefined
  let starts = 0
  const hangUp = () => {
    client?.disconnect()
    client = undefined
  }
  const command: RedisServer['command'] = (...[word, ...rest]) => {
    if (client?.status === 'end') client = undefined
    client ??= new Redis({ host: '127.0.0.1', port, retryStrategy: () => null, enableReadyCheck: false, commandTimeout: 10_000 })
    if (client.listenerCount('error') === 0) client.on('error', () => {})
    return client.call(word, rest)
  }
  return {
    name,
    port,
    dataDir,
    async start({ empty = false, settings = {} } = {}) {
      if (empty) rmSync(dataDir, { recursive: true, force: true })
      running = await startRedis({ dataDir, logDir: join(folder, `${name}-log-${++starts}`), port, log, settings })
    },
    isRunning: () => running !== undefined && running.process.exit() === undefined,
    async kill() {
      hangUp()
      running?.process.kill('SIGKILL')
      await running?.process.exited
    },
    signal: (signal) => running?.process.kill(signal),
    command,
    async info() {
      const text = String(await command('INFO'))
      return Object.fromEntries([...text.matchAll(/^(\w+):(.*)\r$/gm)].map(([, key, value]) => [key, value]))
    },
    async stop() {
      hangUp()
      running?.process.kill('SIGCONT')
      await running?.stop()
    },
  }
}
