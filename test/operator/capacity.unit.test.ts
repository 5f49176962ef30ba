import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { type Costs, type Demand, type Plan, planCapacity } from '../../services/operator/capacity/model.ts'
import { operator } from './operator-under-test.ts'

const dayMs = 24 * 60 * 60 * 1_000
const demand: Demand = {
  ...{ rate: 10_000, mean: 1, copies: 0.2, bodyBytes: 1_024, syncsPerEvent: 1, replication: 3, headroom: 0.5 },
  ...{ windowMs: 3 * dayMs, slackMs: dayMs, retentionMs: 10 * dayMs },
}
/** Round numbers, so that the case can be worked out on paper. */
const costs: Costs = {
  ...{ gatewayUs: 100, gatewayUsPerKib: 10, normalizerUs: 200, deduplicatorUs: 50, merchantSyncUs: 80 },
  ...{ tokenStatesUs: 40, tokenStatesFollowUs: 10, claimUs: 5, claimBytes: 100, rebuiltPerSecond: 100_000 },
  ...{ brokerUs: 50, brokerReplicaShare: 0.5, rawBytes: 1_000, sealedBytesPerByte: 1, normalizedBytes: 1_000 },
  ...{ eventBytes: 1_000, duplicateBytes: 500, syncBytes: 1_000, stateBytes: 1_000, endedTokenBytes: 64 },
  ...{ tokenShare: 0.5, endedShare: 0.25, heapGib: 4, mostMembers: 10, mostPartitions: 48 },
  ...{ brokerCores: 8, brokerDiskTib: 8, brokerWriteMib: 250, redisServerGib: 64 },
}
const partOf = (plan: Plan, name: string) => plan.parts.find((part) => part.name === name)

t.test('a case worked out by hand', async (t) => {
  const plan = planCapacity(demand, costs)
  t.match(plan.flow, { notifications: 10_000, events: 8_000, duplicates: 2_000, syncs: 8_000 })
  // 10,000 × 100 µs = 1 core, and as much free.
  t.match(partOf(plan, 'gateway'), { needs: 2, cores: 2, carries: 5_000 })
  // 4 cores: 12 slots, 3 for each of 4 processes; 10 of them are the most.
  t.match(partOf(plan, 'normalizer'), { needs: 4, cores: 4, slots: 12, stopsAt: 25_000 })
  t.match(partOf(plan, 'deduplicator'), { needs: 2, cores: 1, slots: 2, stopsAt: 100_000 })
  // 8,000 × 80 µs, twice, is 1.28 cores: of 4 slots no process takes more than 3.
  t.match(partOf(plan, 'merchant-sync'), { needs: 2, slots: 4, stopsAt: 78_125 })
  // 0.64 cores for its own, and 0.16 in each for following; ten processes would follow with 1.6.
  t.match(partOf(plan, 'token-states'), { needs: 2, slots: 2, cores: 0.64 + 2 * 0.16 })
  t.equal(Math.round(partOf(plan, 'token-states')?.stopsAt as number), 44_643)
  // 8,000 × 345,600 s × 100 bytes = 257 GiB, on servers of which 32 GiB are used.
  t.equal(Math.round(plan.redis.gib), 257)
  t.match(partOf(plan, 'Redis'), { needs: 9, by: 'memory' })
  // 47,240,000 bytes a second, 864,000 s, three times: 111 TiB, on brokers of which 4 TiB are used.
  t.equal(Math.round(plan.disk.tib), 111)
  t.match(partOf(plan, 'Kafka'), { needs: 28, by: 'disk', cores: 8.4 })
  t.equal(plan.partitions, 12)
  t.equal(plan.first.name, 'normalizer')
  // 2,592,000,000 records at 200,000 a second.
  t.equal(plan.rebuildHours, 3.6)
  // 2,000 × 86,400 × 64 bytes a day.
  t.equal(Math.round(plan.forEver.tokenStatesFullAfterDays * 1_000), 388)
})

t.test('half the mean rate halves what is stored, and no core', async (t) => {
  const [full, half] = [planCapacity(demand, costs), planCapacity({ ...demand, mean: 0.5 }, costs)]
  t.equal(half.redis.gib, full.redis.gib / 2)
  t.equal(half.disk.tib, full.disk.tib / 2)
  t.equal(half.cores, full.cores)
})

t.test('too many events to follow: no number of token-states processes is enough', async (t) => {
  const plan = planCapacity({ ...demand, rate: 100_000 }, costs)
  t.match(partOf(plan, 'token-states'), { needs: undefined })
  t.ok((partOf(plan, 'token-states')?.stopsAt as number) < 100_000)
})

t.test('asking for more never needs less', async () => {
  const demands = fc.record({
    rate: fc.double({ min: 1, max: 1e6, noNaN: true }),
    mean: fc.double({ min: 0.01, max: 1, noNaN: true }),
    copies: fc.constantFrom(0, 0.2, 0.5, 0.9),
    bodyBytes: fc.integer({ min: 1, max: 65_536 }),
    windowMs: fc.integer({ min: dayMs, max: 10 * dayMs }),
    slackMs: fc.constant(dayMs),
    retentionMs: fc.integer({ min: 12 * dayMs, max: 60 * dayMs }),
    syncsPerEvent: fc.double({ min: 0.1, max: 20, noNaN: true }),
    replication: fc.integer({ min: 1, max: 5 }),
    headroom: fc.constantFrom(0, 0.3, 0.5, 0.9),
  })
  const growing = ['rate', 'mean', 'bodyBytes', 'windowMs', 'retentionMs', 'syncsPerEvent', 'replication'] as const
  const sizesOf = ({ parts, partitions, cores, redis, disk }: Plan) => {
    const needs = parts.map(({ needs = Number.POSITIVE_INFINITY }) => needs)
    // What a part that no longer fits takes of these cannot be counted.
    const shared = needs.includes(Number.POSITIVE_INFINITY) ? [Number.POSITIVE_INFINITY] : [partitions, cores]
    return [...needs, redis.gib, redis.claims, disk.tib, disk.mibPerSecond, ...shared]
  }
  fc.assert(
    fc.property(demands, demands, fc.constantFrom(...growing), (one, other, name) => {
      const [less, more] = [one[name], other[name]].sort((a, b) => a - b)
      const [small, large] = [sizesOf(planCapacity({ ...one, [name]: less })), sizesOf(planCapacity({ ...one, [name]: more }))]
      small.forEach((size, index) => {
        if (size > (large[index] ?? Number.POSITIVE_INFINITY) * (1 + 1e-9))
          throw new Error(`${name} ${less} → ${more}: ${small} → ${large}`)
      })
    }),
    { numRuns: 3_000 },
  )
})

t.test('the command says it in words, as JSON, and side by side', async (t) => {
  const one = await operator(['capacity', '--rate', '20000', '--window', '7d'])
  t.equal(one.code, 0, one.err)
  t.match(one.out, /a window of 7 d and 1 d of slack/)
  t.match(one.out, /Where each part ends, and what then:/)
  const json = await operator(['capacity', '--rate', '100,20000', '--json'])
  const { plans } = json.json() as { plans: Plan[] }
  t.strictSame(
    plans.map(({ flow }) => flow.notifications),
    [100, 20_000],
  )
  t.strictSame(plans[0], JSON.parse(JSON.stringify(planCapacity((plans[0] as Plan).demand))), 'the document is the plan')
  t.match((await operator(['capacity', '--costs'])).out, /normalizerUs .*µs of CPU per notification/)
})

t.test('what cannot be is refused, with what to set', async (t) => {
  const refused = async (...args: string[]) => {
    const { code, err } = await operator(['capacity', ...args])
    t.equal(code, 2)
    return err
  }
  t.match(await refused(), /--rate is needed/)
  t.match(await refused('--rate', '0'), /Numbers from 1/)
  t.match(await refused('--rate', '100', '--window', '7'), /A duration is needed/)
  t.match(await refused('--rate', '100', '--retention', '4d'), /--retention must be more than --window and --slack/)
})

t.test('the table in the README is what the command says', async (t) => {
  const args = ['capacity', '--rate', '100,1000,20000,200000']
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const { out } = await operator(args)
  t.ok(
    readme.includes(`\`\`\`\n${out}\`\`\``),
    `put the output of “npm run -s operator -- ${args.join(' ')}” into the section Capacity`,
  )
})
