/** A real Redis on this machine, as the deduplicator wants it: nothing evicted, every write in the append-only file. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { ensureProgram } from './installed-program.ts'
import { explainDeath, type OwnedProcess, startOwned, untilReady } from './owned-process.ts'

export type LocalRedis = { redisUrl: string; process: OwnedProcess; stop: () => Promise<void> }

type Options = {
  dataDir: string
  logDir: string
  port: number
  log: (line: string) => void
  /** Of redis.conf, besides ours or in their place. */
  settings?: Record<string, string>
}

export async function startRedis({ dataDir, logDir, port, log, settings = {} }: Options): Promise<LocalRedis> {
  const command = ensureProgram('redis-server', 'redis-server', log)
  mkdirSync(dataDir, { recursive: true })
  const all = {
    bind: '127.0.0.1',
    port: String(port),
    dir: dataDir,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    ...settings,
  }
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
  const redis = await startOwned({ name: 'Redis', command, args, logFile: join(logDir, 'redis.log') })
  const redisUrl = `redis://127.0.0.1:${port}`
  const explain = (why: string) => explainDeath(redis, why)
  try {
    await untilReady(redis, () => answers(redisUrl), { timeoutMs: 30_000, explain })
  } catch (error) {
    await redis.stop()
    throw error
  }
  return { redisUrl, process: redis, stop: async () => void (await redis.stop()) }
}

/** False while it is not listening or still reading its file. */
async function answers(redisUrl: string): Promise<boolean> {
  const client = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false })
  client.on('error', () => {})
  try {
    return (await client.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}
