/** Poison in place: verified notifications that nobody can read, one in ten, on every partition. They block nothing and reorder nothing. */
import { join } from 'node:path'
import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import { formatPosition } from '../../shared/contracts/topics.ts'
import { originOf } from '../../shared/kafka/record.ts'
import { createRawSealer } from '../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { readAll } from '../support/read-topic.ts'
import { type ServiceUnderTest, startService } from '../support/service.ts'
import { createTopicSet, type TopicSet, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { temporaryFolder } from './pipeline.ts'

const folder = temporaryFolder()
const keys = loadTestKeys(folder)
const sealer = createRawSealer(keys.rawPublic)
const account = '1111119999999999'
/** The first run warms up; the second and the third are compared. */
const [warmUp, compared] = [1_000, 4_000]
const oneIn = 10

/** All four ways in which a verified body can be unreadable to the normalizer: no JSON, a type nobody knows, no token, an altered seal. */
const poisons = ['not JSON', '{"authorizationNotifyType":"NO_SUCH_TYPE"}', '{"authorizationNotifyType":"TOKEN_CREATED"}', '']

function rawRecordOf(n: number, poisonous: boolean) {
  const token = `token-${n}`
  const good = { authorizationNotifyType: 'TOKEN_CREATED', authClientId: account, accessToken: token }
  const body = Buffer.from(poisonous ? (poisons[((n / oneIn) % poisons.length) | 0] as string) : JSON.stringify(good))
  const value = sealer.seal('alipayplus', account, body)
  if (body.length === 0) value[value.length - 5] = value[value.length - 5] === 65 ? 66 : 65
  return {
    key: keys.identity.tokenRef('alipayplus', account, token),
    value,
    headers: {
      [header.provider]: 'alipayplus',
      [header.account]: account,
      [header.contentHash]: keys.identity.contentHash('alipayplus', account, body),
    },
  }
}

/** Appends them in blocks of ten to the partitions in turn, so each partition has its share of the poison. Returns the positions of both kinds. */
async function appendRun({ kafka, topics, partitions }: TopicSet, first: number, count: number, withPoison = false) {
  const producer = kafka.producer()
  await producer.connect()
  const good: string[] = []
  const poison: string[] = []
  const byPartition = Map.groupBy(
    Array.from({ length: count }, (_, n) => first + n),
    (n) => Math.floor(n / oneIn) % partitions,
  )
  for (const [partition, numbers] of byPartition) {
    const isPoison = (n: number) => withPoison && n % oneIn === 3
    const messages = numbers.map((n) => ({ ...rawRecordOf(n, isPoison(n)), partition }))
    const [answer] = await producer.send({ topic: topics.raw.alipayplus, acks: -1, messages })
    for (const [index, n] of numbers.entries()) {
      const offset = String(Number(answer?.baseOffset) + index)
      const where = isPoison(n) ? poison : good
      where.push(formatPosition({ topic: topics.raw.alipayplus, partition, offset }))
    }
  }
  await producer.disconnect()
  return { good, poison }
}

/** Records per second of a service's transactions behind the given number of log lines, from the end of the first one to that of the last. */
function rateSince(service: ServiceUnderTest, skipped: number): number {
  const lines = service
    .lines()
    .filter(({ event }) => event === 'batch-processed')
    .slice(skipped)
  const times = lines.map(({ time }) => new Date(time as string | number).getTime())
  const records = lines.slice(1).reduce((sum, line) => sum + Number(line.records), 0)
  return (records / ((times.at(-1) as number) - (times[0] as number))) * 1000
}
const batches = (service: ServiceUnderTest) => service.lines().filter(({ event }) => event === 'batch-processed').length

t.test(
  'one raw record in ten is poison, on every partition: all the others come through, in order, and only it is dead',
  async (t) => {
    const set = await createTopicSet(t)
    const { topics } = set
    const { brokers, redisUrl } = testStack()
    const env = {
      KAFKA_BROKERS: brokers,
      REDIS_URL: redisUrl,
      TOPIC_PREFIX: set.prefix,
      RAW_PRIVATE_KEYS_FILE: join(folder, 'raw.private.json'),
      CREDENTIAL_KEYS_FILE: join(folder, 'credentials.json'),
      IDENTITY_KEY_FILE: join(folder, 'identity.json'),
    }
    const normalizer = await startService(t, 'normalizer', env)
    const deduplicator = await startService(t, 'deduplicator', env)
    await Promise.all([normalizer.untilReady(), deduplicator.untilReady()])
    const ends = (count: number) =>
      waitFor(
        `${count} ends`,
        async () => {
          const records = await readAll(
            topics.events,
            topics.duplicates,
            topics.deadLetters.normalizer,
            topics.deadLetters.deduplicator,
          )
          return records.length >= count && records
        },
        { timeoutMs: 120_000 },
      )

    const clean = (await appendRun(set, 0, warmUp)).good
    await ends(warmUp)
    const cold = batches(normalizer)
    clean.push(...(await appendRun(set, warmUp, compared)).good)
    await ends(warmUp + compared)
    const [pure, before] = [rateSince(normalizer, cold), batches(normalizer)]
    const mixed = await appendRun(set, warmUp + compared, compared, true)
    const records = await ends(warmUp + 2 * compared)

    const of = (topic: string) => records.filter((record) => record.topic === topic)
    const events = of(topics.events)
    t.same(events.map(originOf).sort(), [...clean, ...mixed.good].sort(), 'every good record is an event, once')
    t.same(of(topics.deadLetters.normalizer).map(originOf).sort(), mixed.poison.sort(), 'the dead letters are exactly the poison')
    t.equal(records.length, warmUp + 2 * compared, 'and nothing else')
    t.equal(mixed.poison.length, compared / oneIn)
    const reasons = new Set(of(topics.deadLetters.normalizer).map(({ headers }) => headers[header.dlqReason]))
    t.same([...reasons].sort(), ['missing-field', 'not-json', 'not-opened', 'unknown-type'])
    for (let partition = 0; partition < set.partitions; partition++) {
      const inPartition = (positions: string[]) => positions.filter((position) => position.split('/')[1] === String(partition))
      t.ok(inPartition(mixed.poison).length >= 90, `partition ${partition} had its poison`)
      for (const topic of [topics.events, topics.deadLetters.normalizer]) {
        const offsets = of(topic)
          .filter((record) => record.partition === partition)
          .map((record) => Number(originOf(record).split('/')[2]))
        t.same(
          offsets,
          offsets.toSorted((a, b) => a - b),
          `partition ${partition} of ${topic} is in the order of acceptance`,
        )
      }
    }
    const figure = (rate: number) => `${Math.round(rate).toLocaleString('en')} records/s`
    t.comment(`normalizer: ${figure(pure)} without poison, ${figure(rateSince(normalizer, before))} with one in ten (diagnostic)`)
  },
)
