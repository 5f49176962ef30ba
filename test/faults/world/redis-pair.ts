/**
 * A Redis and its replica, always reached under one URL through a proxy, that may forget anything in every way that Redis knows. Real
 * servers, as the deduplicator wants them (`deploy/local/redis.ts`): AOF, nothing evicted. All operations return when they are done.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '../../support/wait-for.ts'
import { createRedisServer, type RedisServer } from './redis-server.ts'
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export type RedisPair = {
  redisUrl: string
  /** Between the clients and whoever serves them: slow, half-open, cut, stall. */
  proxy: TcpProxy
  /** The one that is written to, and the one that follows it; a failover swaps them. */
  primary: () => RedisServer
  replica: () => RedisServer
  /** kill -9 of the primary: nobody listens until `restart`. */
  kill: () => Promise<void>
  /** Starts the primary again, on its AOF or `empty`. Its replica follows it, so an empty primary wipes it. */
  restart: (options?: { empty?: boolean }) => Promise<void>
  /** kill -9 and a start that takes about `loadingMs` (each key its share), answering -LOADING meanwhile. Returns once all is loaded. */
  restartLoading: (loadingMs: number) => Promise<void>
  /** Keeps a copy of the primary's files as they are now. */
  takeSnapshot: () => Promise<void>
  /** Kills the primary and starts it on that copy: rolled back. */
  restoreSnapshot: () => Promise<void>
  /** From now on nothing that is written reaches the replica, until a failover or `healReplica`. */
  letReplicaLag: () => void
  healReplica: () => Promise<void>
  /** kill -9 of the primary; the replica, however stale, takes its place, and the old primary follows it with what it had thrown away. */
  failOver: () => Promise<void>
  flush: () => Promise<void>
  /** The primary hangs (SIGSTOP), connected. */
  hang: () => void
  wake: () => void
  /** Every write is refused with -OOM. */
  refuseWrites: () => Promise<void>
  /** The policy becomes allkeys-lru, and memory so small that at least so many keys are thrown away now, and further ones as others come. */
  evict: (atLeast: number) => Promise<void>
  /** Memory without limit, nothing evicted. */
  healMemory: () => Promise<void>
  /** Clients are led to the replica, which answers writes with -READONLY. */
  serveReplica: () => void
  servePrimary: () => void
  /** Ends whatever was begun: a primary that runs, is reached, and is followed by its replica. What was forgotten stays so. */
  heal: () => Promise<void>
  stop: () => Promise<void>
}

export async function startRedisPair({ folder, log }: { folder: string; log: (line: string) => void }): Promise<RedisPair> {
  let primary = await createRedisServer('redis-a', folder, log)
  let replica = await createRedisServer('redis-b', folder, log)
  await Promise.all([primary.start(quickSync), replica.start(quickSync)])
  const proxy = await createTcpProxy({ serverPort: primary.port })
  const replication = await createTcpProxy({ serverPort: primary.port })
  const snapshot = join(folder, 'snapshot')
  let serving = primary
  const serve = (server: RedisServer) => {
    serving = server
    proxy.retarget(server.port)
  }

  const follow = async () => {
    await replica.command('REPLICAOF', '127.0.0.1', replication.port)
    await inSync(primary, replica)
  }
  const restart = async (options: Parameters<RedisServer['start']>[0]) => {
    await primary.start({ ...quickSync, ...options })
    await inSync(primary, replica)
  }
  await follow()

  return {
    redisUrl: `redis://127.0.0.1:${proxy.port}`,
    proxy,
    primary: () => primary,
    replica: () => replica,
    kill: () => primary.kill(),
    restart: ({ empty = false } = {}) => restart({ empty }),
    async restartLoading(loadingMs) {
      const keys = Number(await primary.command('DBSIZE'))
      if (keys === 0) throw new Error('Redis holds nothing that it could take long to load: write something first.')
      // Clients are served more often while a snapshot is loaded than while commands are played again, so all goes into one.
      await primary.command('BGREWRITEAOF')
      await untilCalm(primary)
      await primary.kill()
      const settings = { 'key-load-delay': keyLoadDelay(loadingMs, keys), 'loading-process-events-interval-bytes': '1024' }
      await restart({ settings: { ...quickSync.settings, ...settings } })
    },
    async takeSnapshot() {
      await untilCalm(primary)
      rmSync(snapshot, { recursive: true, force: true })
      primary.signal('SIGSTOP')
      cpSync(primary.dataDir, snapshot, { recursive: true })
      primary.signal('SIGCONT')
    },
    async restoreSnapshot() {
      await primary.kill()
      rmSync(primary.dataDir, { recursive: true, force: true })
      cpSync(snapshot, primary.dataDir, { recursive: true })
      await restart({})
    },
    letReplicaLag: () => replication.inject('cut'),
    async healReplica() {
      replication.heal()
      await inSync(primary, replica)
    },
    async failOver() {
      await primary.kill()
      await replica.command('REPLICAOF', 'NO', 'ONE')
      ;[primary, replica] = [replica, primary]
      serve(primary)
      replication.heal()
      replication.retarget(primary.port)
      await replica.start(quickSync)
      await follow()
    },
    flush: async () => void (await primary.command('FLUSHALL')),
    hang: () => primary.signal('SIGSTOP'),
    wake: () => primary.signal('SIGCONT'),
    refuseWrites: () => setMemory(primary, 'noeviction', 1),
    async evict(atLeast) {
      const evicted = async () => Number((await primary.info()).evicted_keys)
      const goal = (await evicted()) + atLeast
      await waitFor(`${atLeast} keys to be thrown away`, async () => {
        const used = Number((await primary.info()).used_memory)
        await setMemory(primary, 'allkeys-lru', Math.floor(used * 0.98))
        return (await evicted()) >= goal
      })
    },
    healMemory: () => setMemory(primary, 'noeviction', 0),
    serveReplica: () => serve(replica),
    servePrimary: () => serve(primary),
    async heal() {
      proxy.heal()
      replication.heal()
      primary.signal('SIGCONT')
      if (!primary.isRunning()) await primary.start(quickSync)
      await setMemory(primary, 'noeviction', 0)
      if (serving !== primary) serve(primary)
      await inSync(primary, replica)
    },
    async stop() {
      await Promise.all([proxy.stop(), replication.stop(), primary.stop(), replica.stop()])
    },
  }
}

/** The shortest sleep takes about so long; with more keys than it allows, Redis sleeps at some of them only. */
const shortestSleepMicroseconds = 60

/** Redis sleeps so many microseconds at each key; below zero, one microsecond at one key in so many. */
function keyLoadDelay(loadingMs: number, keys: number): string {
  const perKey = (loadingMs * 1000) / keys
  return String(
    perKey > shortestSleepMicroseconds ? Math.ceil(perKey) : -Math.max(1, Math.round(shortestSleepMicroseconds / perKey)),
  )
}

/** A replica that comes is served at once; by default the primary waits 5 s for others. */
const quickSync = { settings: { 'repl-diskless-sync-delay': '0', 'repl-ping-replica-period': '1' } }

async function inSync(primary: RedisServer, replica: RedisServer): Promise<void> {
  await waitFor(
    `${replica.name} to follow ${primary.name}`,
    async () => {
      const { master_repl_offset: written, master_replid: history } = await primary.info()
      const { master_link_status: link, slave_repl_offset: applied, master_replid: followed } = await replica.info()
      return link === 'up' && followed === history && Number(applied) >= Number(written)
    },
    { timeoutMs: 60_000 },
  )
  // A replica writes a new append-only file after each full copy, and refuses to be stopped meanwhile.
  await untilCalm(replica)
}

/** No rewrite of the append-only file is going on or about to. */
const untilCalm = (server: RedisServer) =>
  waitFor('the append-only file to be in one piece', async () => {
    const { aof_rewrite_in_progress: now, aof_rewrite_scheduled: soon } = await server.info()
    return now === '0' && soon === '0'
  })

async function setMemory(server: RedisServer, policy: string, maxBytes: number): Promise<void> {
  await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
  await server.command('CONFIG', 'SET', 'maxmemory', maxBytes)
}
