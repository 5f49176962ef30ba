/** A Redis of a benchmark's own: what it holds and forgets is nobody else's. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../../deploy/local/free-ports.ts'
import { startRedis } from '../../deploy/local/redis.ts'
import type { World } from './bench.ts'

export type OwnRedis = { url: string; client: Redis }

/** With the settings of every stack, but never rewriting its file: what falls into one measurement and not into the next tells nothing. */
export async function startOwnRedis(world: World, name: string): Promise<OwnRedis> {
  const dir = join(world.dir, name)
  const settings = { 'auto-aof-rewrite-percentage': '0' }
  rmSync(dir, { recursive: true, force: true })
  const redis = await startRedis({ dataDir: join(dir, 'data'), logDir: dir, port: await freePort(), log: world.say, settings })
  const client = new Redis(redis.redisUrl)
  world.teardown(async () => {
    client.disconnect()
    await redis.stop()
    rmSync(join(dir, 'data'), { recursive: true, force: true })
  })
  return { url: redis.redisUrl, client }
}

/** A number of Redis's INFO. */
export async function infoNumber(redis: Redis, section: 'cpu' | 'memory', ...names: string[]): Promise<number[]> {
  const info = await redis.info(section)
  return names.map((name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]))
}

/** Microseconds of CPU that Redis has taken, all its threads. */
export async function redisCpuUs(redis: Redis): Promise<number> {
  const [system, user] = (await infoNumber(redis, 'cpu', 'used_cpu_sys', 'used_cpu_user')) as [number, number]
  return (system + user) * 1e6
}
