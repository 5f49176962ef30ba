import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { freePort } from '../../deploy/local/free-ports.ts'
import { startRedis } from '../../deploy/local/redis.ts'
import { readAll } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, type Teardown, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { envOf, eventIds, idOf, produce, upTo } from './produce.ts'

/** A Redis of the test's own, that may be killed, paused and started again on its data or without. */
async function startOwnRedis(t: Teardown) {
  const folder = mkdtempSync(join(tmpdir(), 'redis-test-'))
  const port = await freePort()
  const dataDir = join(folder, 'data')
  const start = () => startRedis({ dataDir, logDir: folder, port, log: () => {} })
  let redis = await start()
  t.teardown(async () => {
    redis.process.kill('SIGCONT')
    await redis.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    url: redis.redisUrl,
    pause: () => redis.process.kill('SIGSTOP'),
    resume: () => redis.process.kill('SIGCONT'),
    async kill() {
      redis.process.kill('SIGKILL')
      await redis.process.exited
    },
    async restart({ empty }: { empty: boolean }) {
      if (empty) rmSync(dataDir, { recursive: true, force: true })
      redis = await start()
    },
  }
}

t.test(
  'Redis paused, killed, and started again on its data and without: the deduplicator waits, nothing is lost or doubled',
  async (t) => {
    const set = await createTopicSet(t)
    const redis = await startOwnRedis(t)
    const service = await startService(t, 'deduplicator', envOf(set, redis.url))
    await service.untilReady()
    const untilEvents = (count: number) =>
      waitFor(`${count} events`, async () => (await eventIds(set)).length >= count, { timeoutMs: 60_000 })
    const tries = () => service.lines().filter(({ event }) => event === 'batch-retry').length
    await produce(set, upTo(200))
    await untilEvents(200)

    redis.pause()
    await produce(set, upTo(250))
    await waitFor('the batch to be tried in vain', () => tries() > 0)
    redis.resume()
    await untilEvents(250)

    await redis.kill()
    const before = tries()
    await produce(set, upTo(300))
    await waitFor('the batch to wait for Redis', () => tries() > before + 2)
    t.equal((await eventIds(set)).length, 250, 'nothing is emitted without Redis')
    await redis.restart({ empty: false })
    await untilEvents(300)

    await redis.kill()
    await redis.restart({ empty: true })
    await produce(set, upTo(350))
    await untilEvents(350)
    await produce(set, [400])
    await untilEvents(351)
    t.strictSame((await eventIds(set)).sort(), [...upTo(350), 400].map(idOf), 'one event each')
    t.equal((await readAll(set.topics.duplicates)).length, 200 + 250 + 300, 'and every copy is a duplicate')
    t.ok(
      service.lines().some(({ event, reason }) => event === 'claims-rebuilt' && reason === 'missing'),
      'the empty Redis was filled again',
    )
  },
)

t.test('a Redis that may evict claims is refused with what to set', async (t) => {
  const set = await createTopicSet(t)
  const { url } = await startOwnRedis(t)
  const client = new Redis(url)
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  client.disconnect()
  const service = await startService(t, 'deduplicator', envOf(set, url))
  t.match(await service.exited, { code: 1 })
  t.match(service.output(), /maxmemory-policy allkeys-lru.*noeviction/)
})

t.test('a window shorter than the providers retry, or than the topic keeps records, is refused', async (t) => {
  const set = await createTopicSet(t)
  const { redisUrl } = testStack()
  const short = await startService(t, 'deduplicator', envOf(set, redisUrl, { WINDOW_HOURS: '48' }))
  t.match(await short.exited, { code: 1 })
  t.match(short.output(), /WINDOW_HOURS=48 must be more than the providers' retry horizon/)
  const long = await startService(t, 'deduplicator', envOf(set, redisUrl, { WINDOW_HOURS: '900' }))
  t.match(await long.exited, { code: 1 })
  t.match(long.output(), /must outlive the window/)
})

t.test('committed offsets set back behind the claims stop the service instead of emitting again', async (t) => {
  const set = await createTopicSet(t)
  const env = envOf(set, testStack().redisUrl)
  const first = await startService(t, 'deduplicator', env)
  await first.untilReady()
  await produce(set, upTo(40))
  await waitFor('40 events', async () => (await eventIds(set)).length === 40)
  await produce(set, upTo(44))
  await waitFor('44 events', async () => (await eventIds(set)).length === 44)
  await first.stop()
  const admin = set.kafka.admin()
  await admin.connect()
  const groupId = `${set.prefix}token-notifications.deduplicator`
  const partitions = Array.from({ length: set.partitions }, (_, partition) => ({ partition, offset: '0' }))
  await admin.setOffsets({ groupId, topic: set.topics.normalized, partitions })
  await admin.disconnect()
  const second = await startService(t, 'deduplicator', env)
  t.match(await second.exited, { code: 1 })
  t.match(second.output(), /offsets were lost or set back/)
  t.equal((await eventIds(set)).length, 44)
})

t.test('a record that is no event is dead-lettered, and its neighbours go on', async (t) => {
  const set = await createTopicSet(t, { partitions: 1 })
  const producer = set.kafka.producer()
  await producer.connect()
  await produce(set, [1])
  await producer.send({ topic: set.topics.normalized, messages: [{ key: 'x', value: 'foreign', partition: 0 }] })
  await producer.disconnect()
  await produce(set, [2])
  await startService(t, 'deduplicator', envOf(set, testStack().redisUrl, { SLOTS: '1' }))
  await waitFor('both events', async () => (await eventIds(set)).length === 2)
  const [letter] = await readAll(set.topics.deadLetters.deduplicator)
  t.match(letter?.headers, { 'dlq-reason': 'not-an-event', 'dlq-original-offset': '1' })
  t.equal(String(letter?.value), 'foreign')
})
