/** What the services of a benchmark stand on: keys, the senders who sign with them, topics, and merchants who want each event of theirs once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { OperatorAccount } from '../../deploy/local/accounting.ts'
import { demonstrationMerchants } from '../../services/operator/keys/demonstration.ts'
import { type Cast, castOf } from '../../services/operator/simulator/notification.ts'
import { loadSenders } from '../../services/operator/simulator/senders.ts'
import { operator } from '../operator/operator-under-test.ts'
import { developmentKeys } from '../pipeline/simulation.ts'
import { createTopicSet, type Teardown, type TopicSet } from '../support/topic-set.ts'
import type { World } from './bench.ts'

/** A demonstration's keys, and who can sign with them. `env`: the variables that name the files. */
export type Keys = { dir: string; env: Record<string, string>; cast: Cast }
export type Ground = { set: TopicSet; keys: Keys; env: Record<string, string>; t: Teardown }

let made: Promise<Keys> | undefined
/** The same for all benchmarks of a run: making them takes seconds. */
export function makeKeys(): Promise<Keys> {
  made ??= developmentKeys().then(({ keys: dir, env }) => ({ dir, env, cast: castOf(loadSenders(join(dir, 'simulator.json'))) }))
  return made
}

/** Measures on empty topics, groups and claims of its own, and removes them before the next: a repeat owes nothing to the one before it. */
export async function onFreshGround<T>(
  { brokers, redisUrl }: World,
  keys: Keys,
  partitions: number,
  measure: (ground: Ground) => Promise<T>,
): Promise<T> {
  const ends: (() => Promise<void> | void)[] = []
  const t: Teardown = { teardown: (end) => void ends.push(end) }
  try {
    const set = await createTopicSet(t, { partitions })
    t.teardown(() => forgetClaims(redisUrl, set.prefix))
    const env = { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, TOPIC_PREFIX: set.prefix, ...keys.env }
    const merchantsFile = join(keys.dir, 'merchants-of-benches.json')
    writeFileSync(merchantsFile, JSON.stringify(merchants))
    await askOperator(env, 'merchants', 'put', merchantsFile)
    return await measure({ set, keys, env, t })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** Everyone whom the demonstration's notifications name, with one subscription and no filter: one sync per event, to the record. */
const merchants = [
  ...demonstrationMerchants.map(({ subscriptions: _, ...merchant }) => merchant),
  { merchantId: '218823863726000000004', name: 'Left out of the demonstration' },
].map((merchant) => ({
  ...merchant,
  subscriptions: [{ id: 'all', enabled: true, endpoint: 'https://merchant.example/token-events' }],
}))

/** What became of every raw record, by the operator's own reading of all topics. */
export const accountOf = (env: Record<string, string>): Promise<OperatorAccount> => askOperator(env, 'account')

async function askOperator<Document>(env: Record<string, string>, ...args: string[]): Promise<Document> {
  const { code, out, err, json } = await operator([...args, '--json'], { env })
  if (code !== 0) throw new Error(`operator ${args[0]}: ${err || out}`)
  return json() as Document
}

async function forgetClaims(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl)
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 10_000 })) {
    if (keys.length > 0) await redis.unlink(...(keys as string[]))
  }
  redis.disconnect()
}
