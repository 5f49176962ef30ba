/** The Redis behind the claims: one server, what Sentinel says is the primary, or a Cluster. Claims of a partition share a hash tag, so each fits. */
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'

export type RedisClient = Redis | Cluster

/** `redis://…` as always; `redis+sentinel://user:password@host:26379,host:26379/primary-name`; `redis+cluster://user:password@host:6379,host:6379`; with `rediss` over TLS. */
export const redisUrlPattern = '^rediss?(://|\\+sentinel://[^/]+/.+|\\+cluster://[^/]+/?$)'
const severalHosts = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/]+)(?:\/(.*))?$/

/**
 * Fails fast: a command waits 5 s at most and is not queued while Redis is away, so the batch is tried again and heartbeats go on. A connection
 * that answers nothing, or leads to a server that has become a replica, is made anew.
 */
const common = {
  socketTimeout: 10_000,
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  commandTimeout: 5_000,
  connectTimeout: 3_000,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
} as const satisfies Partial<CommonRedisOptions>

export function connectRedis(url: string): RedisClient {
  const parts = severalHosts.exec(url)
  if (!parts) return new Redis(url, { ...common, lazyConnect: true })
  const [, scheme, kind, username, password, list, name] = parts as unknown as [string, string, string, ...(string | undefined)[]]
  const hosts = (list as string).split(',').map((text) => {
    const at = text.lastIndexOf(':')
    return { host: text.slice(0, at), port: Number(text.slice(at + 1)) }
  })
  const login = {
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(scheme === 'rediss' ? { tls: {} } : {}),
  }
  if (kind === 'sentinel') return new Redis({ ...common, ...login, sentinels: hosts, name: name as string, lazyConnect: true })
  return new Cluster(hosts, {
    redisOptions: { ...common, ...login },
    enableOfflineQueue: false,
    slotsRefreshTimeout: 3_000,
    clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    lazyConnect: true,
  })
}

/** A section of INFO from every server that holds claims. */
export async function infoOf(redis: RedisClient, section: string): Promise<string[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis]
  return Promise.all(servers.map((server) => server.info(section)))
}
