import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { waitFor } from '../../support/wait-for.ts'
import { startRedisPair } from './redis-pair.ts'

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'redis-pair-'))
  const pair = await startRedisPair({ folder, log: () => {} })
  // It asks whether all is loaded before it asks anything else: a server answers as soon as it listens, if only to say that it loads.
  const client = new Redis(pair.redisUrl, { retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {})
  t.teardown(async () => {
    client.disconnect()
    await pair.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const onReplica = async (key: string) => (await pair.replica().command('GET', key)) as string | null
  const untilReplicated = (key: string, value: string) =>
    waitFor(`${key} on the replica`, async () => (await onReplica(key)) === value)
  return { pair, client, onReplica, untilReplicated }
}

t.test('killed, it is gone; started again it knows everything, or nothing, and so does its replica', async (t) => {
  const { pair, client, untilReplicated, onReplica } = await setUp(t)
  await client.set('claim', 'kept')
  await untilReplicated('claim', 'kept')
  await pair.kill()
  const asked = client.get('claim')
  t.equal(await Promise.race([asked, pair.replica().command('PING')]), 'PONG', 'nobody answers for it')
  await pair.restart()
  t.equal(await asked, 'kept')

  await pair.kill()
  await pair.restart({ empty: true })
  t.equal(await client.get('claim'), null)
  t.equal(await onReplica('claim'), null, 'the empty primary has wiped its replica')
})

t.test('a restored snapshot is as old as it was taken', async (t) => {
  const { pair, client, onReplica } = await setUp(t)
  await client.set('claim', 'old')
  await pair.takeSnapshot()
  await client.mset('claim', 'new', 'later', 'yes')
  await pair.restoreSnapshot()
  t.same(await client.mget('claim', 'later'), ['old', null])
  t.equal(await onReplica('claim'), 'old')
})

t.test('a replica that lags takes over without what it missed, and once more the other way round with everything', async (t) => {
  const { pair, client, onReplica, untilReplicated } = await setUp(t)
  await client.set('claim', 'old')
  await untilReplicated('claim', 'old')
  const before = pair.primary()
  pair.letReplicaLag()
  await client.mset('claim', 'new', 'later', 'yes')
  t.equal(await onReplica('claim'), 'old')
  await pair.failOver()
  t.equal(pair.replica(), before)
  t.same(await client.mget('claim', 'later'), ['old', null])
  t.equal((await pair.primary().info()).role, 'master')
  t.equal(await onReplica('later'), null, 'the old primary has thrown it away')

  await client.set('claim', 'newest')
  pair.letReplicaLag()
  await client.set('later', 'yes')
  await pair.healReplica()
  await pair.failOver()
  t.equal(pair.primary(), before)
  t.same(await client.mget('claim', 'later'), ['newest', 'yes'])
})

t.test(
  'what memory does: writes refused, keys thrown away, all forgotten; and the replica refuses to be written to',
  async (t) => {
    const { pair, client } = await setUp(t)
    const keys = Array.from({ length: 2_000 }, (_, n) => `claim-${n}`)
    await client.mset(keys.flatMap((key) => [key, 'x'.repeat(100)]))

    await pair.refuseWrites()
    await t.rejects(client.set('more', 'x'), /^OOM /)
    t.equal(await client.dbsize(), keys.length)
    await pair.healMemory()

    await pair.evict(100)
    t.ok(Number((await pair.primary().info()).evicted_keys) >= 100)
    t.ok((await client.dbsize()) <= keys.length - 100)
    await pair.healMemory()
    t.equal(await client.set('more', 'x'), 'OK')
    t.same(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction'])

    pair.serveReplica()
    await waitFor('the replica to answer', async () => /^role:slave/m.test(await client.info('replication')))
    await t.rejects(client.set('claim', 'x'), /^READONLY /)
    pair.servePrimary()
    await waitFor('the primary to answer', async () => /^role:master/m.test(await client.info('replication')))

    await pair.flush()
    t.equal(await client.dbsize(), 0)
  },
)

t.test('hung, it answers when it wakes up; loading, it says so until it has loaded; healed, all is as before', async (t) => {
  const { pair, client, untilReplicated } = await setUp(t)
  const claims = client.pipeline()
  for (let n = 0; n < 2_000; n++) claims.set(`claim-${n}`, 'x')
  await claims.exec()
  pair.hang()
  const asked = client.dbsize()
  t.equal(await Promise.race([asked, pair.replica().command('PING')]), 'PONG')
  pair.wake()
  t.equal(await asked, 2_000)

  const restarted = pair.restartLoading(5_000)
  const answer = () =>
    pair
      .primary()
      .command('GET', 'claim-1')
      .then(String, (error: Error) => error.message)
  await waitFor('the answer that it loads', async () => /^LOADING /.test(await answer()))
  await restarted
  t.equal(await client.get('claim-1'), 'x')

  pair.letReplicaLag()
  pair.proxy.inject('cut')
  pair.serveReplica()
  await pair.refuseWrites()
  await pair.kill()
  await pair.heal()
  t.equal(await client.set('claim-1', 'y'), 'OK')
  await untilReplicated('claim-1', 'y')
})
