/** What a run leaves behind, as places with bytes. Nothing is skipped: a place that cannot be read is an error. */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Redis } from 'ioredis'
import type { Kafka } from '../../shared/kafka/client.ts'
import { waitFor } from '../support/wait-for.ts'
import type { OwnPipeline } from './own-pipeline.ts'

/** In the names of all places where something was planted. */
export const plantedName = 'planted'

export type Place = { kind: string; name: string; read: () => Buffer }

export const held = (kind: string, name: string, bytes: Buffer | string): Place => ({
  kind,
  name,
  read: () => Buffer.from(bytes as string),
})

const kinds: [string, RegExp][] = [
  ['log', /(^|\/)logs\//],
  ['Kafka data', /^kafka\//],
  ['Redis file', /^redis\//],
  ['other file', /^/],
]

/** Every file below the folder in which everything ran. */
export function filesLeft(folder: string): Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = relative(folder, path)
      return { kind: kinds.find(([, pattern]) => pattern.test(name))?.[0] ?? '', name, read: () => readFileSync(path) }
    })
}

async function withRedis<T>(redisUrl: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(redisUrl)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

/** Compressed values would hide what they hold, and the slow log quotes commands: so that it quotes all of them. */
export const makeReadable = (redisUrl: string) =>
  withRedis(redisUrl, async (redis) => {
    for (const [name, value] of [
      ['rdbcompression', 'no'],
      ['slowlog-log-slower-than', '0'],
      ['slowlog-max-len', '100000'],
    ] as const)
      await redis.config('SET', name, value)
  })

/** Every key with its value as Redis serialises it, and what Redis tells about itself. */
export const redisMemory = (redisUrl: string): Promise<Place[]> =>
  withRedis(redisUrl, async (redis) => {
    const places: Place[] = []
    let cursor = '0'
    do {
      const [next, keys] = await redis.scanBuffer(cursor)
      cursor = next.toString()
      for (const key of keys) {
        const value = (await redis.dumpBuffer(key)) ?? Buffer.alloc(0)
        places.push(held('Redis memory', key.toString('latin1'), Buffer.concat([key, Buffer.from('\n'), value])))
      }
    } while (cursor !== '0')
    const slow = (await redis.callBuffer('SLOWLOG', 'GET', '100000')) as unknown
    const asked = {
      info: await redis.info('everything'),
      clients: await redis.call('CLIENT', 'LIST'),
      acl: await redis.call('ACL', 'LOG'),
    }
    places.push(
      held('Redis memory', 'SLOWLOG', flatten(slow)),
      held('Redis memory', 'INFO, CLIENT LIST, ACL LOG', JSON.stringify(asked)),
    )
    return places
  })

/** Writes both of Redis's files anew: the snapshot, and the append-only file made from memory. */
const writeRedisFiles = (redisUrl: string) =>
  withRedis(redisUrl, async (redis) => {
    await redis.bgrewriteaof()
    await waitFor('the append-only file', async () => {
      const info = await redis.info('persistence')
      return /aof_rewrite_in_progress:0/.test(info) && /aof_rewrite_scheduled:0/.test(info)
    })
    await redis.save()
  })

function flatten(reply: unknown): Buffer {
  if (Array.isArray(reply)) return Buffer.concat(reply.map(flatten))
  return Buffer.concat([Buffer.isBuffer(reply) ? reply : Buffer.from(String(reply)), Buffer.from('\n')])
}

/** Members and their metadata, assignments, committed offsets with their texts. */
async function consumerGroups(kafka: Kafka): Promise<Place[]> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const { groups } = await admin.listGroups()
    const ids = groups.map(({ groupId }) => groupId)
    const described = (await admin.describeGroups(ids)).groups
    return await Promise.all(
      described.map(async (group) => {
        const binary = group.members.flatMap(({ memberMetadata, memberAssignment }) => [memberMetadata, memberAssignment])
        const offsets = await admin.fetchOffsets({ groupId: group.groupId })
        const bytes = Buffer.concat([Buffer.from(JSON.stringify([group, offsets])), ...binary])
        return held('consumer group', group.groupId, bytes)
      }),
    )
  } finally {
    await admin.disconnect()
  }
}

/** What only living processes can tell: taken before they stop. Redis's files are complete afterwards. */
export async function askStores(kafka: Kafka, redisUrl: string): Promise<Place[]> {
  const places = [...(await redisMemory(redisUrl)), ...(await consumerGroups(kafka))]
  await writeRedisFiles(redisUrl)
  return places
}

/** Puts texts where the pipeline could have left one: into a topic, into Redis, into a log. */
export async function plant(
  texts: { name: string; bytes: Buffer }[],
  kafka: Kafka,
  redisUrl: string,
  logFile: string,
): Promise<void> {
  const [admin, producer] = [kafka.admin(), kafka.producer()]
  try {
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: plantedName, numPartitions: 1 }], waitForLeaders: true })
    await producer.connect()
    await producer.send({ topic: plantedName, messages: texts.map(({ bytes }) => ({ value: bytes })) })
  } finally {
    await producer.disconnect()
    await admin.disconnect()
  }
  await withRedis(redisUrl, async (redis) => {
    for (const { name, bytes } of texts) await redis.set(`${plantedName}:${name}`, bytes)
  })
  for (const { bytes } of texts) appendFileSync(logFile, Buffer.concat([bytes, Buffer.from('\n')]))
}

/** What the operator says about all this; its output is a log like the others. */
export function askOperator({ operator }: OwnPipeline, keys: string) {
  const shape = ['--partitions', '4', '--replication', '1']
  const topics = [['plan'], ['check'], ['check', '--json']].map((args) => ['topics', ...args, ...shape])
  const merchants = [['list'], ['list', '--json']].map((args) => ['merchants', ...args])
  const keySets = [
    ['list', keys],
    ['list', keys, '--json'],
    ['rotate', '--dir', keys, '--set', 'credentials'],
  ].map((args) => ['keys', ...args])
  return Promise.all([...topics, ...merchants, ...keySets].map((args) => operator(args)))
}
