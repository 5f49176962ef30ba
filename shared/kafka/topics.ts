import { setTimeout as sleep } from 'node:timers/promises'
import type { TopicSettings } from '../contracts/topics.ts'
import type { Admin, Kafka } from './kafkajs.ts'
import { byName, entriesOf, ownConfig, readConfigs, topicResource } from './topic-config.ts'

/** A topic as it should be, or as the cluster has it (then `config` holds the effective values, defaults included). */
export type TopicShape = TopicSettings & { replication: number }

/**
 * One way in which the cluster is not as it should be. `mend` says what `applyTopics` does about it: `create` and `alter` are safe on a
 * live topic; what is left to `nobody` needs a decision by a person, and `why` says which.
 */
export type TopicDifference = {
  topic: string
  what: 'missing' | 'partitions' | 'replication' | 'config'
  name?: string
  wanted: string
  found: string | null
  mend: 'create' | 'alter' | 'nobody'
  why?: string
}

const raisingSplits =
  'a live topic keeps its partition count: copies of one change must stay on one partition. Use another TOPIC_PREFIX'
const reassignment = 'replicas are moved by a reassignment (kafka-reassign-partitions.sh), not by this command'

/** The settings with replication, and the smallest in-sync set that keeps an acknowledged record through the loss of one broker. */
export function topicShapes(settings: TopicSettings[], replication: number): TopicShape[] {
  const minInSync = String(Math.max(1, Math.min(2, replication - 1)))
  return settings.map(({ topic, partitions, config }) => ({
    topic,
    partitions,
    replication,
    config: { ...config, 'min.insync.replicas': minInSync },
  }))
}

/** What `applyTopics` would do, and what it would not; an empty list means that the cluster is as it should be. */
export async function planTopics(kafka: Kafka, wanted: TopicShape[]): Promise<TopicDifference[]> {
  return withAdmin(kafka, async (admin) => compareTopics(wanted, await describeTopics(admin, wanted)))
}

/**
 * Creates what is missing and sets what differs; never raises a partition count, never deletes. Returns what was done and what was
 * left to a person.
 */
export async function applyTopics(
  kafka: Kafka,
  wanted: TopicShape[],
): Promise<{ done: TopicDifference[]; left: TopicDifference[] }> {
  return withAdmin(kafka, async (admin) => {
    const differences = compareTopics(wanted, await describeTopics(admin, wanted))
    const named = (mend: TopicDifference['mend']) =>
      wanted.filter(({ topic }) => differences.some((difference) => difference.topic === topic && difference.mend === mend))
    await createTopics(admin, named('create'))
    await alterTopics(admin, named('alter'))
    const done = differences.filter(({ mend }) => mend !== 'nobody')
    return { done, left: differences.filter(({ mend }) => mend === 'nobody') }
  })
}

/** Whether the cluster has the topic; asking for it by name would be retried for seconds, as if it were about to appear. */
export async function hasTopic(kafka: Kafka, topic: string): Promise<boolean> {
  return withAdmin(kafka, async (admin) => (await admin.listTopics()).includes(topic))
}

/** Creates a topic with partitions, replicas and settings of another, but for these; leaves it alone if it is there. */
export async function createTopicLike(kafka: Kafka, like: string, topic: string, but: Record<string, string>): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    if ((await admin.listTopics()).includes(topic)) return
    const [shape] = await describeTopics(admin, [{ topic: like }])
    if (!shape) throw new Error(`Topic ${like} is missing. Make it with: operator topics apply`)
    const own = await ownConfig(admin, [like])
    await createTopics(admin, [{ ...shape, topic, config: { ...own.get(like), ...but } }])
  })
}

/** Pure: every difference between what should be and what is. */
export function compareTopics(wanted: TopicShape[], found: TopicShape[]): TopicDifference[] {
  return wanted.flatMap((shape): TopicDifference[] => {
    const { topic, partitions, replication } = shape
    const actual = found.find((candidate) => candidate.topic === topic)
    if (actual === undefined) {
      const size = `${partitions} partitions, replication ${replication}`
      return [{ topic, what: 'missing', wanted: size, found: null, mend: 'create' }]
    }
    const count = (what: 'partitions' | 'replication', why: string): TopicDifference[] =>
      shape[what] === actual[what]
        ? []
        : [{ topic, what, wanted: String(shape[what]), found: String(actual[what]), mend: 'nobody', why }]
    const config = Object.entries(shape.config)
      // A smallest in-sync set that is made for more replicas than there are would stop every writer.
      .filter(([name]) => name !== 'min.insync.replicas' || replication === actual.replication)
      .filter(([name, value]) => actual.config[name] !== value)
      .map(
        ([name, value]): TopicDifference => ({
          topic,
          what: 'config',
          name,
          wanted: value,
          found: actual.config[name] ?? null,
          mend: 'alter',
        }),
      )
    return [...count('partitions', raisingSplits), ...count('replication', reassignment), ...config]
  })
}

async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Only names that the cluster lists are asked for: asking for a missing topic is an error, and may create it elsewhere. */
async function describeTopics(admin: Admin, wanted: { topic: string }[]): Promise<TopicShape[]> {
  const listed = new Set(await admin.listTopics())
  const topics = wanted.map(({ topic }) => topic).filter((topic) => listed.has(topic))
  if (topics.length === 0) return []
  const metadata = await admin.fetchTopicMetadata({ topics })
  const configs = await readConfigs(admin, topics)
  return metadata.topics.map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions.length,
    replication: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    config: byName(configs.get(name) ?? []),
  }))
}

async function createTopics(admin: Admin, shapes: TopicShape[]): Promise<void> {
  if (shapes.length === 0) return
  const creation = admin.createTopics({
    waitForLeaders: false,
    topics: shapes.map(({ topic, partitions, replication, config }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor: replication,
      configEntries: entriesOf(config),
    })),
  })
  await creation.catch((error: Error & { errors?: Error[] }) => {
    // kafkajs says "Topic creation errors" and keeps what they were to itself.
    throw error.errors ? new Error([...new Set(error.errors.map(({ message }) => message))].join('; ')) : error
  })
  await Promise.all(shapes.map(({ topic }) => untilLed(admin, topic)))
}

const leadersWithinMs = 15_000

/**
 * A topic just made is unknown to some brokers for a moment, and then has leaders that do not know it yet; kafkajs's own wait gives up
 * at the first and does not see the second. Done when every leader answers.
 */
async function untilLed(admin: Admin, topic: string): Promise<void> {
  for (const until = Date.now() + leadersWithinMs; ; await sleep(50)) {
    try {
      await admin.fetchTopicOffsets(topic)
      return
    } catch (error) {
      if (Date.now() > until) throw error
    }
  }
}

/**
 * kafkajs has `AlterConfigs` only, not its incremental successor: it *replaces* all that was set on the topic, and what is not sent falls
 * back to the broker's default. So what an operator set besides ours (a retention in bytes, a throttle) is sent along.
 */
async function alterTopics(admin: Admin, shapes: TopicShape[]): Promise<void> {
  if (shapes.length === 0) return
  const names = shapes.map(({ topic }) => topic)
  const kept = await ownConfig(admin, names)
  const resources = shapes.map(({ topic, config }) => ({
    type: topicResource,
    name: topic,
    configEntries: entriesOf({ ...kept.get(topic), ...config }),
  }))
  await admin.alterConfigs({ validateOnly: false, resources })
}
