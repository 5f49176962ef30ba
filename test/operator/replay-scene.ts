/** A past for replays: raw records with times of their own, and what the real normalizer and deduplicator made of them. */
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { groupId, type Provider, providers } from '../../shared/contracts/topics.ts'
import { type AppendedRecord, appendRecords } from '../../shared/kafka/append.ts'
import { choosePartition } from '../../shared/kafka/choose-partition.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { loadTestKeys, type TestKeys } from '../fixtures/keys.ts'
import { type BluePayFixture, type Fixture, fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'
import { readSettled } from '../support/read-topic.ts'
import { type ServiceUnderTest, startService } from '../support/service.ts'
import { createTopicSet, type Teardown, type TopicSet, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { temporaryFolder } from './operator-under-test.ts'

/** What was accepted, and when: milliseconds since 1970. */
export type Accepted = { fixture: Fixture; at: number }

export type Scene = {
  set: TopicSet
  keys: TestKeys
  env: Record<string, string>
  services: ServiceUnderTest[]
  rawOf: (accepted: Accepted) => AppendedRecord
  /** Appends raw records in this order and waits until each has its outcome. */
  live: (accepted: Accepted[]) => Promise<void>
  /** All claims of this pipeline. */
  flushRedis: () => Promise<void>
}

export async function startScene(t: Teardown, { partitions = 2 }: { partitions?: number } = {}): Promise<Scene> {
  const set = await createTopicSet(t, { partitions })
  await carryTimes(set)
  const folder = temporaryFolder(t)
  const keys = loadTestKeys(folder)
  const env = {
    KAFKA_BROKERS: testStack().brokers,
    TOPIC_PREFIX: set.prefix,
    RAW_PRIVATE_KEYS_FILE: join(folder, 'raw.private.json'),
    CREDENTIAL_KEYS_FILE: join(folder, 'credentials.json'),
    IDENTITY_KEY_FILE: join(folder, 'identity.json'),
  }
  const stageEnv = { ...env, REDIS_URL: testStack().redisUrl, SLOTS: '2' }
  const services = await Promise.all(['normalizer', 'deduplicator'].map((name) => startService(t, name, stageEnv)))
  await Promise.all(services.map((service) => service.untilReady()))
  const rawOf = ({ fixture, at }: Accepted) => placeRaw(set, keys, fixture, at)
  return {
    ...{ set, keys, env, services, rawOf },
    async live(records) {
      await appendRecords(set.kafka, records.map(rawOf))
      await untilJudged(set)
    },
    async flushRedis() {
      const redis = new Redis(testStack().redisUrl)
      await redis.del(...(await redis.keys(`${set.prefix}d{*`)))
      redis.disconnect()
    },
  }
}

/** Both stages have committed all there is. Behind the last record of the normalized topic lies a commit marker, and no transaction is open. */
async function untilJudged({ kafka, topics, prefix }: TopicSet): Promise<void> {
  const [facts, admin] = [await openTopicFacts(kafka), kafka.admin()]
  await admin.connect()
  const isJudged = async (stage: 'normalizer' | 'deduplicator', topic: string, markers: number) => {
    const committed = await facts.allCommitted(groupId(stage, prefix), topic)
    const stable = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]))
    const isRead = (partition: number, high: number) =>
      stable.get(partition) === high && (committed.get(partition) ?? 0) >= high - markers
    return [...(await facts.allBounds(topic))].every(([partition, { high }]) => isRead(partition, high))
  }
  const patience = { timeoutMs: 120_000 }
  for (const topic of Object.values(topics.raw))
    await waitFor(`${topic} to be read`, () => isJudged('normalizer', topic, 0), patience)
  await waitFor('the normalized topic to be read', () => isJudged('deduplicator', topics.normalized, 1), patience)
  await Promise.all([facts.close(), admin.disconnect()])
}

/** Raw topics stamp records themselves; here days pass in a moment, so they take the times that records come with. */
async function carryTimes({ kafka, topics }: TopicSet): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const resources = Object.values(topics.raw).map((name) => ({
    ...{ type: 2, name },
    configEntries: [
      { name: 'message.timestamp.type', value: 'CreateTime' },
      { name: 'message.timestamp.after.max.ms', value: '9223372036854775807' },
      { name: 'retention.ms', value: '-1' },
    ],
  }))
  await admin.alterConfigs({ validateOnly: false, resources })
  const asked = resources.map(({ type, name }) => ({ type, name, configNames: ['message.timestamp.type'] }))
  await waitFor('the broker to know', async () => {
    const { resources: known } = await admin.describeConfigs({ resources: asked, includeSynonyms: false })
    return known.every(({ configEntries }) => configEntries[0]?.configValue === 'CreateTime')
  })
  await admin.disconnect()
}

function placeRaw({ topics, partitions }: TopicSet, keys: TestKeys, fixture: Fixture, timestamp: number): AppendedRecord {
  const record = rawRecord(fixture, keys, { timestamp })
  const partition = choosePartition(String(record.key), partitions)
  return { ...record, topic: topics.raw[fixture.provider], partition }
}

const named = (name: string) => fixtures.find((fixture) => fixture.name === name) as Fixture
const template = {
  created: { alipayplus: named('alipayplus/token-created'), bluepay: named('bluepay/token-created') },
  canceled: { alipayplus: named('alipayplus/token-canceled-by-wallet'), bluepay: named('bluepay/token-canceled-by-user') },
  dead: { alipayplus: named('alipayplus/dead-unknown-type'), bluepay: named('bluepay/dead-other-event') },
}
const tokenField = { alipayplus: 'accessToken', bluepay: 'paytoken' }

/** A notification about the n-th token of a provider; other `content` is a conflict with the same change. */
export function notification(kind: 'created' | 'canceled' | 'dead', provider: Provider, n: number, content = 'first'): Fixture {
  const fixture = template[kind][provider]
  const whose = fieldsOf(template.created[provider])
  const said = { [tokenField[provider]]: `token-of-the-replay-${n}`, userId: `user-${n}`, remark: content }
  const same = provider === 'alipayplus' ? { authClientId: whose.authClientId } : { channelCode: whose.channelCode }
  const text = JSON.stringify({ ...fieldsOf(fixture), ...same, ...said })
  if (fixture.provider === 'alipayplus') return { ...fixture, body: Buffer.from(text) }
  return { ...fixture, account: (template.created.bluepay as BluePayFixture).account, notification: text }
}

const fieldsOf = (fixture: Fixture): Record<string, string> =>
  JSON.parse(fixture.provider === 'alipayplus' ? String(fixture.body) : fixture.notification)

const hourMs = 60 * 60 * 1000

/** Every kind of verdict, for both providers and `tokens` tokens, over nine days from `begin` on; each inner list is a day of its own. */
export function nineDays(begin: number, tokens: number): Accepted[][] {
  const days = [0, 2, 4, 9].map((day) => begin + day * 24 * hourMs)
  return days.map((day, index) =>
    Array.from({ length: tokens }, (_, n) => n).flatMap((n) =>
      providers.flatMap((provider) => dayOf(index, provider, n).map((fixture): Accepted => ({ fixture, at: day + n * 1_000 }))),
    ),
  )
}

/** The 1st day: created, copied, sometimes in conflict. The 3rd: copied again. The 5th: canceled, created late. The 10th: all again, beyond the window. */
function dayOf(index: number, provider: Provider, n: number): Fixture[] {
  const [created, canceled] = [notification('created', provider, n), notification('canceled', provider, n)]
  const late = [notification('canceled', provider, n + 10_000), notification('created', provider, n + 10_000)]
  const dead = n % 5 === 0 ? [notification('dead', provider, n)] : []
  if (index === 0) return [created, ...dead, n % 3 === 0 ? notification('created', provider, n, 'other') : created]
  if (index === 1) return n % 2 === 0 ? [created, ...dead] : [canceled]
  if (index === 2) return [canceled, created, ...late]
  return [...late, created, ...dead, canceled, created]
}

/** A record as its bytes, for comparisons; without where it lies. */
export const bytesOf = ({ key, value, headers, timestamp }: SourceRecord) => ({
  ...{ key: key?.toString('base64'), value: value?.toString('base64'), headers: Object.entries(headers), timestamp },
})

/** The bytes of a topic, by partition, in order. */
export async function bytesByPartition(topic: string): Promise<Map<number, ReturnType<typeof bytesOf>[]>> {
  const grouped = Map.groupBy(await readSettled(topic), ({ partition }) => partition)
  return new Map([...grouped].sort(([a], [b]) => a - b).map(([partition, records]) => [partition, records.map(bytesOf)]))
}
