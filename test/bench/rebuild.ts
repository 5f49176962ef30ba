/** Redis forgets, and the deduplicator makes all claims anew: how fast, beside reading the same records alone. */
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { type ServiceUnderTest, startService } from '../support/service.ts'
import { createTopicSet, type TopicSet } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { atLeast, type Bench, median, ratioAtLeast, type World } from './bench.ts'
import { appendNormalized, createNormalized, distinctOf, type NormalizedAt } from './normalized-records.ts'
import { type OwnRedis, redisCpuUs, startOwnRedis } from './own-redis.ts'
import { cpuUs } from './process-cost.ts'
import type { RangesInput, RangesRead } from './ranges-worker.ts'
import { inWorker } from './worker.ts'

const partitions = 12
const patience = { timeoutMs: 600_000 }

export const rebuild: Bench = {
  name: 'rebuild',
  about: 'claims made anew after Redis forgot all, twelve partitions at once, in a running deduplicator',
  async run(world) {
    const [set, redis] = [await createTopicSet(world, { partitions }), await startOwnRedis(world, 'redis')]
    const at = createNormalized(set, world.dir)
    await appendNormalized(world, set, at, world.records)
    const env = { KAFKA_BROKERS: world.brokers, TOPIC_PREFIX: set.prefix, REDIS_URL: redis.url }
    const service = await startService(world, 'deduplicator', env)
    await untilJudged(service, world.records)
    await expectClaims(redis, distinctOf(world.records))

    const [rebuilt, read]: [Rebuilt[], RangesRead[]] = [[], []]
    for (let run = 0; run < world.repeat; run++) {
      const ranges = await wholeRanges(set)
      rebuilt.push(await forgetAndRebuild(world, { set, redis, service, at, run }))
      const input: RangesInput = { brokers: world.brokers, topic: set.topics.normalized, groupPrefix: set.prefix, ranges }
      read.push(expectRecords(await inWorker<RangesRead>('ranges-worker.ts', input), (rebuilt.at(-1) as Rebuilt).records))
    }
    const perSecond = ({ records, ms }: { records: number; ms: number }) => (records / ms) * 1_000
    const each = (costs: { records: number; cpuUs: number }[]) => costs.map((cost) => cost.cpuUs / cost.records)
    return {
      figures: [
        {
          name: 'rebuild/rate',
          what: 'records claimed anew, from the first “claims-rebuilding” to the last “claims-rebuilt”',
          unit: 'records/s',
          values: rebuilt.map(perSecond),
          ceiling: { what: 'reading the same ranges, nothing done with them', values: read.map(perSecond) },
          cpuUs: each(rebuilt),
          goals: [ratioAtLeast(0.5), atLeast(100_000)],
          note: `CPU per record of reading alone: ${median(each(read)).toFixed(2)} µs; of Redis meanwhile: ${median(rebuilt.map(({ redisUs, records }) => redisUs / records)).toFixed(2)} µs.`,
        },
      ],
    }
  },
}

type Rebuilt = { records: number; ms: number; cpuUs: number; redisUs: number }
type Running = { set: TopicSet; redis: OwnRedis; service: ServiceUnderTest; at: NormalizedAt; run: number }

/** One new record for each partition makes the deduplicator notice. */
async function forgetAndRebuild(world: World, { set, redis, service, at, run }: Running): Promise<Rebuilt> {
  const known = world.records + run * partitions
  const claims = distinctOf(world.records) + run * partitions
  const before = service.lines().length
  await redis.client.flushall()
  const [begun, redisBegun] = [cpuUs(service.pid), await redisCpuUs(redis.client)]
  const since = (event: string) =>
    service
      .lines()
      .slice(before)
      .filter((line) => line.event === event)
  await sendToEach(set, at, known)
  const done = await waitFor(
    'all claims to be rebuilt',
    () => since('claims-rebuilt').length === partitions && since('claims-rebuilt'),
    patience,
  )
  const [cpu, redisUs] = [cpuUs(service.pid) - begun, (await redisCpuUs(redis.client)) - redisBegun]
  const times = (lines: Record<string, unknown>[]) => lines.map(({ time }) => Date.parse(time as string))
  const ms = Math.max(...times(done)) - Math.min(...times(since('claims-rebuilding')))
  const records = done.reduce((sum, line) => sum + (line.records as number), 0)
  await untilJudged(service, known + partitions)
  await expectClaims(redis, claims + partitions)
  return expectRecords({ records, ms, cpuUs: cpu, redisUs }, known)
}

/** A record for each partition, in one request: they arrive together. */
async function sendToEach({ kafka, topics }: TopicSet, at: NormalizedAt, known: number): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const messages = Array.from({ length: partitions }, (_, partition) => {
    const { key, value, headers = {}, timestamp } = at(newNumber(known + partition))
    return { key, value, headers, partition, timestamp: String(timestamp) }
  })
  await producer.send({ topic: topics.normalized, acks: -1, messages })
  await producer.disconnect()
}

/** The number of a record that is no copy, and not among the first so many. */
const newNumber = (known: number) => 5 * known

async function wholeRanges({ kafka, topics }: TopicSet): Promise<RangesInput['ranges']> {
  const facts = await openTopicFacts(kafka)
  const bounds = await facts.allBounds(topics.normalized).finally(facts.close)
  return [...bounds].map(([partition, { high }]) => ({ partition, to: high }))
}

const untilJudged = ({ lines }: ServiceUnderTest, records: number) =>
  waitFor(
    `${records} records to be judged`,
    () => lines().reduce((sum, line) => sum + (line.event === 'batch-processed' ? (line.records as number) : 0), 0) >= records,
    patience,
  )

/** A claim for each change and a cursor for each partition: no more, no less. */
async function expectClaims({ client }: OwnRedis, changes: number): Promise<void> {
  const found = (await client.dbsize()) - partitions
  if (found !== changes) throw new Error(`Redis holds ${found} claims for ${changes} changes`)
}

function expectRecords<Done extends { records: number }>(done: Done, records: number): Done {
  if (done.records !== records) throw new Error(`${done.records} of ${records} records were read`)
  return done
}
