/** Each stage alone draining its sources, beside the same loop with an empty step draining the same sources. */
import { join } from 'node:path'
import type { StageName, Topics } from '../../shared/contracts/topics.ts'
import { createTopicLike } from '../../shared/kafka/topics.ts'
import { atMost, type Bench, type Figure, ratioAtLeast, type World } from './bench.ts'
import { countRecords } from './count-records.ts'
import { type Ground, makeKeys, onFreshGround } from './ground.ts'
import { copiesShare, fillRaw } from './raw-records.ts'
import { secondsOf, startStage } from './stage-run.ts'

const partitions = 12
const emptyStage = join(import.meta.dirname, 'empty-stage-worker.ts')

/** In the order of the flow: each drains what those before it wrote. */
const flow: { name: StageName; sources: (topics: Topics) => string[]; outputs: (topics: Topics) => string[] }[] = [
  { name: 'normalizer', sources: ({ raw }) => Object.values(raw), outputs: ({ normalized }) => [normalized] },
  {
    name: 'deduplicator',
    sources: ({ normalized }) => [normalized],
    outputs: ({ events, duplicates }) => [events, duplicates],
  },
  { name: 'merchant-sync', sources: ({ events }) => [events], outputs: ({ syncs }) => [syncs] },
  { name: 'token-states', sources: ({ events }) => [events], outputs: ({ states }) => [states] },
]

type Drained = { records: number; emitted: number; duplicates: number; perSecond: number; cpuUs: number; peakMib: number }
type Pair = { stage: Drained; empty: Drained }

export const stages: Bench = {
  name: 'stages',
  about:
    `each stage alone drains real records (${copiesShare * 100} % copies, both providers) from ${partitions} partitions; rates are from its ` +
    'first batch in hand to its last one committed, by its own log lines: each is a committed transaction, and no start-up is among them',
  async run(world) {
    const keys = await makeKeys()
    const repeats: Map<StageName, Pair>[] = []
    for (let repeat = 0; repeat < world.repeat; repeat++) {
      repeats.push(await onFreshGround(world, keys, partitions, (ground) => drainAll(world, ground, repeat)))
    }
    const pairsOf = (name: StageName) => repeats.map((pairs) => pairs.get(name) as Pair)
    return { figures: flow.flatMap(({ name }) => figuresOf(name, pairsOf(name))) }
  },
}

async function drainAll(world: World, ground: Ground, repeat: number): Promise<Map<StageName, Pair>> {
  await fillRaw(world, ground)
  const pairs = new Map<StageName, Pair>()
  let waiting = world.records
  for (const { name } of flow) {
    const drainBoth = { stage: () => drain(world, ground, name, waiting), empty: () => drainEmpty(world, ground, name, waiting) }
    const pair: Partial<Pair> = {}
    // Whoever goes second finds a warmer broker: they take turns.
    for (const one of repeat % 2 === 0 ? (['stage', 'empty'] as const) : (['empty', 'stage'] as const))
      pair[one] = await drainBoth[one]()
    const { stage } = pair as Pair
    pairs.set(name, pair as Pair)
    if (name === 'normalizer') waiting = stage.emitted
    if (name === 'deduplicator') waiting = stage.emitted - stage.duplicates
  }
  await checkContents(ground, pairs)
  return pairs
}

const emptyOutput = ({ set }: Ground, name: StageName) => `${set.prefix}empty-stage.${name}`

async function drainEmpty(world: World, ground: Ground, name: StageName, records: number): Promise<Drained> {
  const { set, t } = ground
  const output = emptyOutput(ground, name)
  await createTopicLike(set.kafka, set.topics.events, output, {})
  t.teardown(async () => {
    const admin = set.kafka.admin()
    await admin.connect()
    await admin.deleteTopics({ topics: [output] }).finally(() => admin.disconnect())
  })
  const sources = flow.find((stage) => stage.name === name)?.sources(set.topics) as string[]
  return drain(world, ground, name, records, { STAGE: name, SOURCES: sources.join(','), OUTPUT: output })
}

/** With `emptyEnv`: the empty stage in its place. */
async function drain(
  world: World,
  { t, env }: Ground,
  name: StageName,
  records: number,
  emptyEnv?: Record<string, string>,
): Promise<Drained> {
  const run = emptyEnv
    ? await startStage(t, `empty-${name}`, { ...env, ...emptyEnv }, { begins: 'with-first-records', script: emptyStage })
    : await startStage(t, name, env, { begins: 'with-first-records' })
  await run.committed(records)
  const cpuUs = run.cpuUs() / records
  const peakMib = run.peakMib()
  const { code } = await run.service.stop()
  if (code !== 0) throw new Error(`${run.service.name} did not stop in order: exit code ${code}`)
  const perSecond = records / secondsOf(run.batches())
  world.say(`  ${run.service.name}: ${records} records, ${Math.round(perSecond)}/s, ${cpuUs.toFixed(1)} µs of CPU each`)
  return { records, perSecond, cpuUs, peakMib, emitted: run.count('emitted'), duplicates: run.count('duplicates') }
}

/** What each wrote, counted in the topics: of a stage as many as it read, of an empty one the same records to the byte. */
async function checkContents(ground: Ground, pairs: Map<StageName, Pair>): Promise<void> {
  const { topics, kafka } = ground.set
  const written = flow.flatMap(({ sources, outputs, name }) => [
    ...[...sources(topics), ...outputs(topics)],
    ...[topics.deadLetters[name], emptyOutput(ground, name)],
  ])
  const of = await countRecords(kafka, [...new Set(written)])
  const sum = (of: { records: number; bytes: number }[]) => ({
    records: of.reduce((total, { records }) => total + records, 0),
    bytes: of.reduce((total, { bytes }) => total + bytes, 0),
  })
  for (const { name, sources, outputs } of flow) {
    const { records, emitted } = (pairs.get(name) as Pair).stage
    const [read, wrote] = [sum(sources(topics).map(of)), sum(outputs(topics).map(of))]
    const [dead, handedOn] = [of(topics.deadLetters[name]), of(emptyOutput(ground, name))]
    // Token states are written for events that change one only; of all others each record is in one output.
    const left = name === 'token-states' ? records - emitted : dead.records
    if (read.records !== records || wrote.records !== emitted || wrote.records + left !== records)
      throw new Error(`${name} read ${records} of ${read.records} records, wrote ${wrote.records} and ${dead.records} dead ones`)
    if (handedOn.records !== read.records || handedOn.bytes !== read.bytes)
      throw new Error(
        `The empty ${name} read ${read.records} records, ${read.bytes} bytes, and wrote ${handedOn.records}, ${handedOn.bytes}`,
      )
  }
}

function figuresOf(name: StageName, pairs: Pair[]): Figure[] {
  const values = (of: keyof Drained) => ({
    values: pairs.map(({ stage }) => stage[of]),
    ceiling: { what: 'the same records through an empty step in the same slots', values: pairs.map(({ empty }) => empty[of]) },
  })
  const records = pairs.map(({ stage }) => stage.records)
  return [
    {
      name: `stages/${name}`,
      what: `drains ${Math.min(...records)} records`,
      unit: 'records/s',
      ...values('perSecond'),
      cpuUs: pairs.map(({ stage }) => stage.cpuUs),
      goals: [ratioAtLeast(0.7)],
    },
    {
      name: `stages/${name}/cpu`,
      what: 'CPU of the process, its start-up left out',
      unit: 'µs per record',
      ...values('cpuUs'),
      goals: [],
    },
    {
      name: `stages/${name}/resident`,
      what: 'the most memory it ever held',
      unit: 'MiB',
      values: pairs.map(({ stage }) => stage.peakMib),
      goals: [atMost(200)],
    },
  ]
}
