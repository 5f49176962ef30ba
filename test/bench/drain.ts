/** Normalizer and deduplicator at once, from raw notifications to events: what Kafka Streams does in one topology. */
import { Redis } from 'ioredis'
import { atLeast, atMost, type Bench, type Figure, type World } from './bench.ts'
import { accountOf, type Ground, makeKeys, onFreshGround } from './ground.ts'
import { redisCpuUs } from './own-redis.ts'
import { copiesShare, fillRaw } from './raw-records.ts'
import { type StageRun, secondsOf, startStage } from './stage-run.ts'

const partitions = 6
const names = ['normalizer', 'deduplicator'] as const

type Drained = { perSecond: number; cpuUs: number; redisCpuUs: number; peakMib: Record<(typeof names)[number], number> }

export const drain: Bench = {
  name: 'drain',
  about: `normalizer and deduplicator together drain raw records, ${copiesShare * 100} % copies, ${partitions} partitions`,
  async run(world) {
    const keys = await makeKeys()
    const repeats: Drained[] = []
    for (let repeat = 0; repeat < world.repeat; repeat++) {
      repeats.push(await onFreshGround(world, keys, partitions, (ground) => drainOnce(world, ground)))
    }
    return { figures: figuresOf(world.records, repeats) }
  },
}

async function drainOnce(world: World, ground: Ground): Promise<Drained> {
  const { records, redisUrl, say } = world
  const { t, env } = ground
  await fillRaw(world, ground)
  const redis = new Redis(redisUrl)
  t.teardown(() => redis.disconnect())
  // The deduplicator waits in its place when the normalizer begins: nobody waits for a start-up.
  const deduplicator = await startStage(t, 'deduplicator', env, { begins: 'without-records' })
  const redisBefore = await redisCpuUs(redis)
  const normalizer = await startStage(t, 'normalizer', env, { begins: 'with-first-records' })
  await normalizer.committed(records)
  await deduplicator.committed(normalizer.count('emitted'))
  const runs = { normalizer, deduplicator }
  const sum = (of: (run: StageRun) => number) => names.reduce((total, name) => total + of(runs[name]), 0)
  const measured = {
    perSecond: records / secondsOf([...normalizer.batches(), ...deduplicator.batches()]),
    cpuUs: sum((run) => run.cpuUs()) / records,
    redisCpuUs: ((await redisCpuUs(redis)) - redisBefore) / records,
    peakMib: { normalizer: normalizer.peakMib(), deduplicator: deduplicator.peakMib() },
  }
  for (const name of names) await runs[name].service.stop()
  const { raw, events, duplicates, deadLetters, missing, twice } = (await accountOf(env)).totals
  say(
    `  raw ${raw} = events ${events} + duplicates ${duplicates} + dead letters ${deadLetters}, ${Math.round(measured.perSecond)}/s`,
  )
  if (raw !== records || raw !== events + duplicates + deadLetters || missing + twice > 0)
    throw new Error(`The accounts do not hold: ${records} written, ${missing} without an outcome, ${twice} with several`)
  return measured
}

/** Microseconds for one are tenths of seconds for 100,000. */
const per100000 = (us: number) => us / 10

function figuresOf(records: number, repeats: Drained[]): Figure[] {
  const streams = 'Kafka Streams, for the same work without sealing on a machine of this kind'
  return [
    {
      name: 'drain',
      what: `drains ${records} raw records`,
      unit: 'records/s',
      values: repeats.map(({ perSecond }) => perSecond),
      cpuUs: repeats.map(({ cpuUs }) => cpuUs),
      goals: [atLeast(20_000)],
      note: `raw records over the time from the normalizer's first batch in hand to the deduplicator's last one committed; ${streams}: 16,700 to 24,700`,
    },
    {
      name: 'drain/cpu',
      what: 'CPU of both processes',
      unit: 's per 100,000',
      values: repeats.map(({ cpuUs }) => per100000(cpuUs)),
      goals: [atMost(9.5)],
      note: `${streams}, its store included: 6.2 warm, 9.5 cold`,
    },
    {
      name: 'drain/redis-cpu',
      what: "CPU of Redis, which is the deduplicator's store",
      unit: 's per 100,000',
      values: repeats.map(({ redisCpuUs }) => per100000(redisCpuUs)),
      goals: [],
    },
    {
      name: 'drain/resident',
      what: 'the most memory that both processes held, added up',
      unit: 'MiB',
      values: repeats.map(({ peakMib }) => peakMib.normalizer + peakMib.deduplicator),
      goals: [atMost(350)],
      note: `${streams}: 550`,
    },
    ...names.map(
      (name): Figure => ({
        name: `drain/resident/${name}`,
        what: 'the most memory that it held',
        unit: 'MiB',
        values: repeats.map(({ peakMib }) => peakMib[name]),
        goals: [atMost(200)],
      }),
    ),
  ]
}
