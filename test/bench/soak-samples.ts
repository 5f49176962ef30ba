/** What a soak looks at every few seconds. */
import { readdirSync } from 'node:fs'
import type { ServiceName } from '../../deploy/local/pipeline.ts'
import { groupId, type StageName, stageNames, type Topics } from '../../shared/contracts/topics.ts'
import type { TopicFacts } from '../../shared/kafka/topic-facts.ts'
import type { Plot } from './bench.ts'
import { residentMib } from './process-cost.ts'
import type { LoadLook } from './soak-load-worker.ts'
import type { Kind, Series } from './soak-verdict.ts'

export type Sample = {
  /** Since the load began. */
  atMs: number
  memoryMib: Record<string, number>
  handles: Record<string, number>
  lag: Record<string, number>
} & LoadLook

type Watched = { services: { name: ServiceName; pid: number }[]; facts: TopicFacts; topics: Topics }

export async function takeSample({ services, facts, topics }: Watched, begunAt: number, load: LoadLook): Promise<Sample> {
  const perService = (of: (pid: number) => number) => Object.fromEntries(services.map(({ name, pid }) => [name, of(pid)]))
  return {
    atMs: Date.now() - begunAt,
    memoryMib: perService(residentMib),
    handles: perService((pid) => readdirSync(`/proc/${pid}/fd`).length),
    lag: await lagOf(facts, topics),
    ...load,
  }
}

/** Records and transaction markers behind the end of its sources, by what each stage's group has committed: a stage that hangs shows, too. */
export async function lagOf(facts: TopicFacts, topics: Topics): Promise<Record<StageName, number>> {
  const sources: Record<StageName, string[]> = {
    normalizer: Object.values(topics.raw),
    deduplicator: [topics.normalized],
    'merchant-sync': [topics.events],
    'token-states': [topics.events],
  }
  const behind = async (stage: StageName, topic: string) => {
    const [bounds, committed] = await Promise.all([facts.allBounds(topic), facts.allCommitted(groupId(stage), topic)])
    return [...bounds].reduce(
      (sum, [partition, { high }]) => sum + Math.max(0, high - Math.max(0, committed.get(partition) ?? 0)),
      0,
    )
  }
  const lags = stageNames.map(async (stage): Promise<[StageName, number]> => {
    const each = await Promise.all(sources[stage].map((topic) => behind(stage, topic)))
    return [stage, each.reduce((sum, lag) => sum + lag, 0)]
  })
  return Object.fromEntries(await Promise.all(lags)) as Record<StageName, number>
}

/** The samples by what they are of. Pure. */
export function seriesOf(samples: Sample[]): Series[] {
  const [first] = samples
  const each = (what: 'memoryMib' | 'handles' | 'lag', kind: Kind, unit: string) =>
    Object.keys(first?.[what] ?? {}).map((name): Series => {
      return { name: `${kind}/${name}`, kind, unit, values: samples.map((sample) => sample[what][name] ?? null) }
    })
  return [
    ...each('memoryMib', 'memory', 'MiB'),
    ...each('handles', 'handles', 'open files'),
    ...each('lag', 'lag', 'records'),
    { name: 'latency/p50', kind: 'latency', unit: 'ms', values: samples.map(({ p50 }) => p50) },
    { name: 'latency/p99', kind: 'latency', unit: 'ms', values: samples.map(({ p99 }) => p99) },
  ]
}

/** One for each kind, over minutes. Pure. */
export function plotsOf(samples: Sample[]): Plot[] {
  const x = { label: 'minutes', values: samples.map(({ atMs }) => atMs / 60_000) }
  return [...Map.groupBy(seriesOf(samples), ({ kind }) => kind)].map(([kind, series]) => ({
    title: kind,
    x,
    unit: (series[0] as Series).unit,
    series: series.map(({ name, values }) => ({ name: name.slice(kind.length + 1), y: values })),
  }))
}
