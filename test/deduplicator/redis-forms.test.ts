/** The deduplicator behind a Redis Cluster and behind Sentinel: real servers, a failover, a node that forgets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type OwnedProcess, startOwned } from '../../deploy/local/owned-process.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, type Teardown } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { envOf, eventIds, idOf, produce, upTo } from './produce.ts'

type Server = {
  port: number
  busPort: number
  process: OwnedProcess
  call: (...words: [string, ...(string | number)[]]) => Promise<unknown>
}

async function startServer(t: Teardown, folder: string, settings: Record<string, string>, sentinel = ''): Promise<Server> {
  const port = await freePort()
  const busPort = await freePort()
  const dir = join(folder, String(port))
  mkdirSync(dir)
  const file = join(dir, 'redis.conf')
  const bus = settings['cluster-enabled'] ? { 'cluster-port': String(busPort) } : {}
  const lines = Object.entries({ bind: '127.0.0.1', port: String(port), dir, ...bus, ...settings }).map(
    ([name, value]) => `${name} ${value}`,
  )
  writeFileSync(file, `${[...lines, sentinel].join('\n')}\n`)
  const args = sentinel ? [file, '--sentinel'] : [file]
  const server = await startOwned({ name: 'Redis', command: 'redis-server', args, logFile: join(dir, 'log') })
  const client = new Redis({ port, retryStrategy: () => 100, maxRetriesPerRequest: 50, enableReadyCheck: false })
  client.on('error', () => {})
  t.teardown(async () => {
    client.disconnect()
    await server.stop()
  })
  await waitFor('Redis to answer', async () => (await client.ping()) === 'PONG')
  return { port, busPort, process: server, call: (word, ...rest) => client.call(word, ...rest) }
}

function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'redis-forms-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const plain = { save: '""', appendonly: 'yes', 'maxmemory-policy': 'noeviction' }

t.test('Redis Cluster: each partition in one slot, and a node that forgets is filled again', async (t) => {
  const set = await createTopicSet(t, { partitions: 12 })
  const folder = temporaryFolder(t)
  const settings = { ...plain, 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000' }
  const nodes = await Promise.all([1, 2, 3].map(() => startServer(t, folder, settings)))
  const [first] = nodes as [Server]
  const bounds = [0, 5461, 10923, 16384]
  for (const [index, node] of nodes.entries())
    await node.call('CLUSTER', 'ADDSLOTSRANGE', bounds[index] as number, (bounds[index + 1] as number) - 1)
  await waitFor('the cluster to be whole', async () => {
    const infos = await Promise.all(nodes.map((node) => node.call('CLUSTER', 'INFO')))
    if (infos.every((info) => /cluster_state:ok/.test(String(info)) && /cluster_known_nodes:3/.test(String(info)))) return true
    // Said again each time: a node that stands still forgets a meeting.
    for (const node of nodes.slice(1)) await node.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.busPort)
    return false
  })
  const url = `redis+cluster://127.0.0.1:${first.port},127.0.0.1:${nodes[1]?.port}`
  const service = await startService(t, 'deduplicator', envOf(set, url))
  await service.untilReady()
  await produce(set, upTo(240))
  await waitFor('240 events', async () => (await eventIds(set)).length >= 240)
  const keys = await Promise.all(nodes.map((node) => node.call('DBSIZE')))
  t.ok(keys.filter((count) => Number(count) > 0).length > 1, `claims lie on several nodes: ${keys.join(', ')}`)

  const forgetful = nodes[keys.findIndex((count) => Number(count) > 0)] as Server
  await forgetful.call('FLUSHALL')
  await produce(set, upTo(300))
  await waitFor('300 events', async () => (await eventIds(set)).length >= 300)
  await produce(set, [400])
  await waitFor('the last', async () => (await eventIds(set)).includes(idOf(400)))
  t.strictSame((await eventIds(set)).sort(), [...upTo(300), 400].map(idOf), 'one event each')
  t.ok(
    service.lines().some(({ event }) => event === 'claims-rebuilt'),
    'what the node forgot was made again',
  )
})

t.test('Sentinel: the primary dies, its replica is promoted, nothing is lost or doubled', async (t) => {
  const set = await createTopicSet(t)
  const folder = temporaryFolder(t)
  const primary = await startServer(t, folder, plain)
  const replica = await startServer(t, folder, { ...plain, replicaof: `127.0.0.1 ${primary.port}` })
  await waitFor('the replica to follow', async () =>
    /master_link_status:up/.test(String(await replica.call('INFO', 'replication'))),
  )
  const watched = [
    'monitor claims 127.0.0.1',
    primary.port,
    '1\nsentinel down-after-milliseconds claims 1000\nsentinel failover-timeout claims 5000',
  ]
  const sentinel = await startServer(t, folder, {}, `sentinel ${watched.join(' ')}`)
  const knowsReplica = async () => /slaves=1/.test(String(await sentinel.call('INFO', 'sentinel')))
  await waitFor('Sentinel to know the replica', knowsReplica)

  const service = await startService(t, 'deduplicator', envOf(set, `redis+sentinel://127.0.0.1:${sentinel.port}/claims`))
  await service.untilReady()
  await produce(set, upTo(200))
  await waitFor('200 events', async () => (await eventIds(set)).length >= 200)
  primary.process.kill('SIGKILL')
  await produce(set, upTo(260))
  await waitFor('260 events', async () => (await eventIds(set)).length >= 260, { timeoutMs: 60_000 })
  await produce(set, [400])
  await waitFor('the last', async () => (await eventIds(set)).includes(idOf(400)))
  t.strictSame((await eventIds(set)).sort(), [...upTo(260), 400].map(idOf), 'one event each')
  t.match(String(await replica.call('INFO', 'replication')), /role:master/, 'by the promoted replica')
})

t.test('Redis URLs: what is none of the three forms is refused at the start', async (t) => {
  const set = await createTopicSet(t)
  for (const url of ['http://x', 'redis+sentinel://127.0.0.1:1', 'redis+cluster://']) {
    const service = await startService(t, 'deduplicator', envOf(set, url))
    t.match(await service.exited, { code: 1 })
    t.match(service.output(), /REDIS_URL must match pattern/)
  }
})
