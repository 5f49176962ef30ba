/** What claims cost: beside the bare script, with many known, and in memory. */
import { freemem } from 'node:os'
import type { Redis } from 'ioredis'
import {
  atMost,
  type Bench,
  type Figure,
  type Measured,
  median,
  type Plot,
  ratioAtLeast,
  ratioAtMost,
  type World,
} from './bench.ts'
import { partitions } from './claims-load.ts'
import type { ClaimsCost, ClaimsInput, Side } from './claims-worker.ts'
import { createKnown } from './known-claims.ts'
import { infoNumber, type OwnRedis, startOwnRedis } from './own-redis.ts'
import { inWorker } from './worker.ts'

/** Claims known before the measurement; those beyond 50 times the records are left out of a small run. */
const sizes = [1e4, 1e5, 1e6, 1e7]
const timesRecords = 50
/** Memory is measured here: at the sizes beyond it is the same, as the tables of keys grow by doubling. */
const weighedAt = 1e6
/** More than a claim takes. */
const bytesPerClaim = 250

export const claims: Bench = {
  name: 'claims',
  about:
    "the deduplicator's claims in Redis, in batches of 500 from two slots: beside the bare script, with many known, in memory",
  async run(world): Promise<Measured> {
    const [small, grown] = [await startOwnRedis(world, 'redis-small'), await startOwnRedis(world, 'redis-grown')]
    const rate = await measureRate(world, small)
    const cost = await measureCost(world, small, grown)
    return { figures: [rate, ...cost.figures], plots: cost.plots ?? [] }
  },
}

const knownEach = (size: number) => Math.ceil(size / partitions)
const measure = (input: ClaimsInput) => inWorker<[ClaimsCost, ClaimsCost]>('claims-worker.ts', input)
const perSecond = ({ claimed, ms }: ClaimsCost) => (claimed / ms) * 1_000
const cpuEach = ({ claimed, clientUs, redisUs }: ClaimsCost) => (clientUs + redisUs) / claimed
const elapsedEach = ({ claimed, ms }: ClaimsCost) => (ms * 1_000) / claimed
const microseconds = (costs: ClaimsCost[], of: 'clientUs' | 'redisUs') =>
  median(costs.map((cost) => cost[of] / cost.claimed)).toFixed(2)

async function measureRate({ seconds, repeat }: World, { url, client }: OwnRedis): Promise<Figure> {
  const sides: Side[] = []
  for (const how of ['path', 'raw'] as const) {
    const prefix = `${how}.`
    const known = knownEach(sizes[0] as number)
    await createKnown(client, prefix).growTo(known, () => {})
    sides.push({ redisUrl: url, prefix, known, how })
  }
  const runs: [ClaimsCost, ClaimsCost][] = []
  for (let run = 0; run < repeat; run++) runs.push(await measure({ sides: sides as [Side, Side], seconds, rounds: 5 }))
  await client.flushall()
  const [path, raw] = [runs.map(([cost]) => cost), runs.map(([, cost]) => cost)]
  return {
    name: 'claims/rate',
    what: `createClaims().claim, four fifths of them new, 10,000 known`,
    unit: 'claims/s',
    values: path.map(perSecond),
    ceiling: {
      what: 'the same script, arguments packed before, answers not unpacked, one connection',
      values: raw.map(perSecond),
    },
    cpuUs: path.map(({ clientUs, claimed }) => clientUs / claimed),
    goals: [ratioAtLeast(0.8)],
    note: `CPU per claim: ${microseconds(path, 'clientUs')} µs of this process and ${microseconds(path, 'redisUs')} µs of Redis; of the bare script ${microseconds(raw, 'clientUs')} and ${microseconds(raw, 'redisUs')}.`,
  }
}

/** The smallest number of claims is measured again beside each larger one, in turn in the same seconds. */
async function measureCost(world: World, small: OwnRedis, grown: OwnRedis): Promise<Measured> {
  const [first, ...larger] = sizes as [number, ...number[]]
  await createKnown(small.client, 'k.').growTo(knownEach(first), () => {})
  const smallSide: Side = { redisUrl: small.url, prefix: 'k.', known: knownEach(first), how: 'path' }
  const known = createKnown(grown.client, 'k.')
  const figures: Figure[] = []
  const points: { size: number; runs: [ClaimsCost, ClaimsCost][] }[] = []
  let weighed: Figure | undefined
  for (const size of larger.filter((size) => size <= Math.max(1e5, world.records * timesRecords))) {
    if (freemem() < size * bytesPerClaim) {
      world.say(`  ${size} claims are left out: there is not enough free memory`)
      continue
    }
    const progress = world.progress(`${size} claims`, size)
    await known.growTo(knownEach(size), progress.advance).finally(progress.end)
    if (size <= weighedAt) weighed = await weigh(grown.client, size)
    const sides: [Side, Side] = [smallSide, { ...smallSide, redisUrl: grown.url, known: knownEach(size) }]
    const runs: [ClaimsCost, ClaimsCost][] = []
    for (let run = 0; run < world.repeat; run++) runs.push(await measure({ sides, seconds: world.seconds, rounds: 1 }))
    points.push({ size, runs })
    figures.push(costFigure('cpu', size, runs), costFigure('elapsed', size, runs))
  }
  return { figures: weighed ? [...figures, weighed] : figures, plots: points.length > 1 ? [plot(points)] : [] }
}

function costFigure(of: 'cpu' | 'elapsed', size: number, runs: [ClaimsCost, ClaimsCost][]): Figure {
  const each = of === 'cpu' ? cpuEach : elapsedEach
  const grown = runs.map(([, cost]) => cost)
  const split = `${microseconds(grown, 'clientUs')} µs of the client and ${microseconds(grown, 'redisUs')} µs of Redis.`
  return {
    name: `claims/known-${size}/${of}`,
    what: of === 'cpu' ? `CPU of client and Redis per claim, ${size} known` : `time per claim, ${size} known`,
    unit: 'µs',
    values: grown.map(each),
    ceiling: { what: `${sizes[0]} known, in turn with it`, values: runs.map(([cost]) => each(cost)) },
    goals: [ratioAtMost(1.2)],
    ...(of === 'cpu' ? { note: split } : {}),
  }
}

/** Of the tables of keys and of expiry times a claim has its part: they double, so that this is least when they are full. */
async function weigh(client: Redis, size: number): Promise<Figure> {
  const besides = ['used_memory_startup', 'mem_aof_buffer', 'mem_clients_normal']
  const [used, ...rest] = (await infoNumber(client, 'memory', 'used_memory', ...besides)) as [number, ...number[]]
  const bytes = used - rest.reduce((sum, part) => sum + part, 0)
  return {
    name: 'claims/memory',
    what: `Redis memory per claim, ${size} known: used_memory less that of an empty server and the buffers of clients and of the append-only file`,
    unit: 'bytes',
    values: [bytes / (knownEach(size) * partitions)],
    goals: [atMost(150)],
    note: 'A claim is a key (partition, epoch 4, event id 16) with a value of 20 bytes (holder 6, last seen 6, content hash 8) and an expiry: 20 + 20 bytes that say something; the rest is key prefix, string and object headers, an entry in the table of keys and one in that of expiry times, and their slots. Below 80 is the moonshot; 32 bytes are what must be held: id, holder, last seen, half a hash.',
  }
}

function plot(points: { size: number; runs: [ClaimsCost, ClaimsCost][] }[]): Plot {
  const of = (each: (cost: ClaimsCost) => number) => points.map(({ runs }) => median(runs.map(([, cost]) => each(cost))))
  return {
    title: 'cost per claim over known claims',
    x: { label: 'known claims, powers of ten', values: points.map(({ size }) => Math.log10(size)) },
    unit: 'µs',
    series: [
      { name: 'CPU of the client', y: of(({ clientUs, claimed }) => clientUs / claimed) },
      { name: 'CPU of Redis', y: of(({ redisUs, claimed }) => redisUs / claimed) },
      { name: 'elapsed', y: of(elapsedEach) },
    ],
  }
}
