/** The whole pipeline as its processes, from an HTTP request to the merchant sync that others can read. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type ServiceName, serviceNames } from '../../deploy/local/pipeline.ts'
import { type ServiceUnderTest, startService } from '../support/service.ts'
import { waitFor } from '../support/wait-for.ts'
import { atMost, type Bench, type Figure, type World } from './bench.ts'
import { accountOf, type Ground, makeKeys, onFreshGround } from './ground.ts'
import { journeyFigures, journeyPlots, journeysOf, type Measured } from './journeys.ts'
import type { Seen } from './observer-worker.ts'
import type { OpenLoop, Sent } from './open-loop-worker.ts'
import { cpuUs, peakResidentMib } from './process-cost.ts'
import { copiesShare } from './raw-records.ts'
import { createRequestWriter } from './signed-requests.ts'
import { type CommittedBatch, committedBatches } from './stage-run.ts'
import { inWorker } from './worker.ts'

const partitions = 12
const untilReadable = { timeoutMs: 60_000 }
const observerScript = join(import.meta.dirname, 'observer-worker.ts')

/** A rate for a while. `changes`: how many of its requests tell something new. */
type Phase = { name: 'warm-up' | 'high' | 'low'; rate: number; count: number; file: string; changes: number }
type Phased = { sent: Sent[]; begunAt: number; endedAt: number; cpuUs: Map<ServiceName, number> }
type Run = { high: Measured; low: Measured; cpuUs: Map<ServiceName, number>; peakMib: Map<ServiceName, number> }
type Services = Record<ServiceName, ServiceUnderTest>

export const endToEnd: Bench = {
  name: 'end-to-end',
  about: `requests at a fixed rate to the gateway, ${copiesShare * 100} % copies, until their merchant syncs can be read (read_committed)`,
  async run(world) {
    const keys = await makeKeys()
    const phases = await signPhases(world, createRequestWriter(keys))
    const repeats: Run[] = []
    for (let repeat = 0; repeat < world.repeat; repeat++) {
      repeats.push(await onFreshGround(world, keys, partitions, (ground) => runOnce(world, ground, phases)))
    }
    const last = repeats.at(-1) as Run
    return { figures: figuresOf(repeats), plots: journeyPlots('at 1,000/s', last.high) }
  },
}

/** A minute at 1,000/s when rates are measured for 10 s, and half of that at 10/s. The services are warm before, and who begins cold is not measured. */
async function signPhases(world: World, writer: ReturnType<typeof createRequestWriter>): Promise<Phase[]> {
  const { seconds, dir } = world
  mkdirSync(dir, { recursive: true })
  const shapes = [
    { name: 'warm-up' as const, rate: 1_000, forSeconds: seconds },
    { name: 'high' as const, rate: 1_000, forSeconds: 6 * seconds },
    { name: 'low' as const, rate: 10, forSeconds: 3 * seconds },
  ]
  const phases: Phase[] = []
  for (const { name, rate, forSeconds } of shapes) {
    const [count, file] = [Math.ceil(rate * forSeconds), join(dir, `${name}.requests.jsonl`)]
    const progress = world.progress(`signed for ${name}`, count)
    const changes = await writer.writeNext(file, count, progress.advance).finally(progress.end)
    world.teardown(() => rmSync(file))
    phases.push({ name, rate, count, file, changes })
  }
  return phases
}

async function runOnce(world: World, ground: Ground, phases: Phase[]): Promise<Run> {
  const { t, env } = ground
  const GATEWAY_PORT = String(await freePort())
  const started = await Promise.all(serviceNames.map((name) => startService(t, name, { ...env, GATEWAY_PORT })))
  await Promise.all(started.map((service) => service.untilReady()))
  const services = Object.fromEntries(started.map((service) => [service.name, service])) as Services
  const seenFile = join(world.dir, 'seen.json')
  const observer = await startService(t, 'observer', { ...env, OUT_FILE: seenFile }, observerScript)
  await observer.untilReady()

  const target = `http://127.0.0.1:${GATEWAY_PORT}`
  const phased = new Map<Phase['name'], Phased>()
  let expected = 0
  for (const phase of phases) {
    expected += phase.changes
    phased.set(phase.name, await runPhase(phase, { target, services, observer, syncs: expected }))
  }
  const peakMib = new Map(serviceNames.map((name) => [name, peakResidentMib(services[name].pid)]))
  await observer.stop()
  await checkAccount(env, phases)
  const seen = JSON.parse(readFileSync(seenFile, 'utf8')) as Seen[]
  const all = [...phased.values()].flatMap(({ sent }) => sent)
  const journeys = journeysOf(all, seen)
  const measured = (name: Phase['name']): Measured => {
    const { begunAt, endedAt } = phased.get(name) as Phased
    const within = (at: number) => at >= begunAt && at <= endedAt
    const batches = (stage: ServiceName): CommittedBatch[] =>
      committedBatches(services[stage]).filter(({ committedAt }) => within(committedAt))
    return {
      journeys: journeys.filter(({ dueAt }) => within(dueAt)),
      batches: {
        normalizer: batches('normalizer'),
        deduplicator: batches('deduplicator'),
        'merchant-sync': batches('merchant-sync'),
      },
    }
  }
  return { high: measured('high'), low: measured('low'), cpuUs: (phased.get('high') as Phased).cpuUs, peakMib }
}

type Around = { target: string; services: Services; observer: ServiceUnderTest; syncs: number }

/** Sends a phase's requests and waits until the sync of every change so far can be read. */
async function runPhase(phase: Phase, { target, services, observer, syncs }: Around): Promise<Phased> {
  const { rate, count, file } = phase
  const before = new Map(serviceNames.map((service) => [service, cpuUs(services[service].pid)]))
  const begunAt = Date.now()
  const sent = await inWorker<Sent[]>('open-loop-worker.ts', { target, file, rate } satisfies OpenLoop)
  const seen = () => Number(observer.lines().findLast(({ event }) => event === 'seen')?.count ?? 0)
  await waitFor(`${syncs} merchant syncs to be readable`, () => seen() >= syncs, untilReadable)
  const spentUs = serviceNames.map((service): [ServiceName, number] => [
    service,
    (cpuUs(services[service].pid) - (before.get(service) as number)) / count,
  ])
  return { sent, begunAt, endedAt: Date.now(), cpuUs: new Map(spentUs) }
}

/** Every request came out as an event or as a duplicate, one event and one sync for each change; by the operator's reading of all topics. */
async function checkAccount(env: Record<string, string>, phases: Phase[]): Promise<void> {
  const { totals, merchantSync } = await accountOf(env)
  const { raw, events, duplicates, missing, twice } = totals
  const requests = phases.reduce((sum, { count }) => sum + count, 0)
  const changes = phases.reduce((sum, phase) => sum + phase.changes, 0)
  const syncs = Object.values(merchantSync.syncs).reduce((sum, count) => sum + count, 0)
  // The gateway may store a copy of what a broker did not answer for in time: never less than was acknowledged.
  if (raw >= requests && raw === events + duplicates && events === changes && syncs === changes && missing + twice === 0) return
  throw new Error(
    `${requests} requests of ${changes} changes, but raw ${raw}, events ${events}, duplicates ${duplicates}, syncs ${syncs}, missing ${missing}`,
  )
}

function figuresOf(repeats: Run[]): Figure[] {
  const perService = (of: (run: Run) => Map<ServiceName, number>, figure: (name: ServiceName) => Omit<Figure, 'values'>) =>
    serviceNames.map((name): Figure => ({ ...figure(name), values: repeats.map((run) => of(run).get(name) as number) }))
  const high = repeats.map((run) => run.high)
  const low = repeats.map((run) => run.low)
  return [
    ...journeyFigures('end-to-end/1000', high, { p50: [atMost(100)], p99: [atMost(250)] }),
    ...journeyFigures('end-to-end/10', low, { p50: [atMost(60)], p99: [] }),
    ...perService(
      ({ cpuUs }) => cpuUs,
      (name) => ({ name: `end-to-end/1000/cpu/${name}`, what: 'CPU of the process', unit: 'µs per request', goals: [] }),
    ),
    ...perService(
      ({ peakMib }) => peakMib,
      (name) => ({
        name: `end-to-end/resident/${name}`,
        what: 'the most memory that it held',
        unit: 'MiB',
        goals: [atMost(200)],
      }),
    ),
  ]
}
