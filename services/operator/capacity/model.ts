/** What a rate of notifications needs. Pure arithmetic over the costs; asking for more never gives less. */
import { costs as table } from './costs.ts'

/** A number for each cost of the table, in its unit. */
export type Costs = Record<keyof typeof table, number>
const measured = Object.fromEntries(Object.entries(table).map(([name, { value }]) => [name, value])) as Costs

export type Demand = {
  /** Notifications a second at the peak, copies included. */
  rate: number
  /** The mean rate over days, as a share of the peak: what is stored follows the one, CPU the other. */
  mean: number
  /** Share of them that are copies. */
  copies: number
  bodyBytes: number
  windowMs: number
  slackMs: number
  /** Of raw notifications, events and what lies between; merchant syncs are kept 14 days at most. */
  retentionMs: number
  syncsPerEvent: number
  replication: number
  /** Share of every core, disk and memory that stays free at the peak: for a server that fails, a rebalance, a rebuild. */
  headroom: number
}

export type Part = {
  name: 'gateway' | 'normalizer' | 'deduplicator' | 'merchant-sync' | 'token-states' | 'Redis' | 'Kafka'
  unit: 'process' | 'server' | 'broker'
  /** Undefined: no number of them is enough. */
  needs: number | undefined
  /** Cores that it uses at the peak, and those that stay free for it. */
  cores: number
  /** Notifications a second that one of them carries, of demands like this. */
  carries: number
  /** What of it is used up first. */
  by: 'CPU' | 'memory' | 'disk' | 'writing' | 'replication'
  /** Notifications a second beyond which more of them do not help; undefined: none is known. */
  stopsAt: number | undefined
  /** Of a stage. */
  slots?: number
}

export type Plan = {
  demand: Demand
  /** A second. */
  flow: { notifications: number; duplicates: number; events: number; syncs: number }
  parts: Part[]
  /** The part that stops growing first. */
  first: Part
  /** Of raw, normalized, public and all topics beside them: never raised later. */
  partitions: number
  cores: number
  redis: { claims: number; gib: number }
  /** Hours until all claims of a window are made anew, by all deduplicators at once; until then events wait. */
  rebuildHours: number
  /** All replicas, without what stays free. */
  disk: { tib: number; mibPerSecond: number }
  /** What grows for ever: compacted states on disk (replicas included), and ended tokens in the memory of each process of token-states. */
  forEver: { statesTibPerYear: number; tokenStatesFullAfterDays: number }
}

const [second, hour, day] = [1_000, 60 * 60 * 1_000, 24 * 60 * 60 * 1_000]
const [kib, mib, gib, tib] = [2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40]
const syncRetentionMs = 14 * day
/** One may fail, or be replaced. */
const leastProcesses = 2
const leastPartitions = 12

export function planCapacity(demand: Demand, costs = measured): Plan {
  const { rate, copies, syncsPerEvent, headroom } = demand
  const events = rate * (1 - copies)
  const flow = { notifications: rate, duplicates: rate * copies, events, syncs: events * syncsPerEvent }
  const usable = 1 - headroom
  /** Cores for this much work a notification, and those that stay free. */
  const cores = (us: number) => (rate * us) / 1e6 / usable

  const gatewayUs = costs.gatewayUs + costs.gatewayUsPerKib * Math.max(0, demand.bodyBytes / kib - 1)
  const perEvent = 1 - copies
  const stages = [
    stage('normalizer', cores(costs.normalizerUs), rate, costs),
    stage('deduplicator', cores(costs.deduplicatorUs), rate, costs),
    stage('merchant-sync', cores(costs.merchantSyncUs * perEvent * Math.max(1, syncsPerEvent)), rate, costs),
    tokenStates(cores(costs.tokenStatesUs * perEvent), cores(costs.tokenStatesFollowUs * perEvent), rate, costs),
  ]
  const redis = redisPart(demand, events, cores(costs.claimUs), costs)
  const kafka = kafkaPart(demand, flow, costs)
  const gateway: Part = {
    name: 'gateway',
    unit: 'process',
    needs: Math.max(leastProcesses, Math.ceil(cores(gatewayUs))),
    cores: cores(gatewayUs),
    carries: rate / cores(gatewayUs),
    by: 'CPU',
    stopsAt: undefined,
  }
  const parts = [gateway, ...stages, redis.part, kafka.part]
  const eventsPerDay = (demand.mean * events * day) / second
  const deduplicators = stages.find(({ name }) => name === 'deduplicator')?.needs as number
  const slots = stages.map((part) => part.slots ?? 0)
  return {
    demand,
    flow,
    parts,
    first: parts.reduce((first, part) =>
      (part.stopsAt ?? Number.POSITIVE_INFINITY) < (first.stopsAt ?? Number.POSITIVE_INFINITY) ? part : first,
    ),
    partitions: Math.max(leastPartitions, ...slots, slotsFor(redis.part.needs ?? 0, 1)),
    cores: parts.reduce((sum, part) => sum + part.cores, 0),
    redis: redis.store,
    rebuildHours: (demand.mean * rate * demand.windowMs) / hour / (deduplicators * costs.rebuiltPerSecond),
    disk: kafka.disk,
    forEver: {
      statesTibPerYear: (eventsPerDay * 365 * costs.tokenShare * costs.stateBytes * demand.replication) / tib,
      tokenStatesFullAfterDays: (costs.heapGib * gib) / (eventsPerDay * costs.endedShare * costs.endedTokenBytes),
    },
  }
}

/** 2, 4, 6, 12, 24, 48, …: each fits into every count of partitions from 12 on, so that a stage may have fewer slots than there are partitions. */
function slotsFor(load: number, each = 2): number {
  let slots = [2, 4, 6, 12].find((count) => count >= load * each) ?? leastPartitions
  while (slots < load * each) slots *= 2
  return slots
}

/** A slot is in one process as a whole, so the fullest process carries the next whole number of them: that one must not be overloaded. */
function stage(name: Part['name'], load: number, rate: number, costs: Costs): Part {
  const slots = slotsFor(load)
  const needs = Math.max(leastProcesses, Math.ceil(slots / Math.floor(slots / load)))
  const carries = rate / load
  return { name, unit: 'process', needs, cores: load, carries, by: 'CPU', stopsAt: costs.mostMembers * carries, slots }
}

/** Each process has its slots' events to decide, and all states to follow, however many processes there are. */
function tokenStates(own: number, follow: number, rate: number, costs: Costs): Part {
  const stopsAt = (rate * costs.mostMembers) / (own + costs.mostMembers * follow)
  if (follow >= 1) return { name: 'token-states', unit: 'process', needs: undefined, cores: own, carries: 0, by: 'CPU', stopsAt }
  const part = stage('token-states', own / (1 - follow), rate, costs)
  return { ...part, cores: own + follow * (part.needs as number), stopsAt }
}

function redisPart(
  { rate, mean, windowMs, slackMs, headroom }: Demand,
  events: number,
  cores: number,
  costs: Costs,
): { part: Part; store: Plan['redis'] } {
  const claims = (mean * events * (windowMs + slackMs)) / second
  const store = { claims, gib: (claims * costs.claimBytes) / gib }
  const [byCpu, byMemory] = [cores, store.gib / costs.redisServerGib / (1 - headroom)]
  const servers = Math.max(byCpu, byMemory)
  const part: Part = {
    name: 'Redis',
    unit: 'server',
    needs: Math.ceil(servers),
    cores,
    carries: rate / servers,
    by: byMemory > byCpu ? 'memory' : 'CPU',
    stopsAt: (costs.mostPartitions * rate) / servers,
  }
  return { part, store }
}

function kafkaPart(demand: Demand, flow: Plan['flow'], costs: Costs): { part: Part; disk: Plan['disk'] } {
  const { rate, mean, replication, headroom, bodyBytes, retentionMs } = demand
  const { notifications, duplicates, events, syncs } = flow
  const states = events * costs.tokenShare
  const records = 2 * notifications + duplicates + events + syncs + states
  const rawBytes = costs.rawBytes + costs.sealedBytesPerByte * bodyBytes
  const keptBytes =
    notifications * (rawBytes + costs.normalizedBytes) + duplicates * costs.duplicateBytes + events * costs.eventBytes
  const syncBytes = syncs * costs.syncBytes
  const disk = {
    tib: (mean * replication * (keptBytes * retentionMs + syncBytes * Math.min(retentionMs, syncRetentionMs))) / second / tib,
    mibPerSecond: (replication * (keptBytes + syncBytes + states * costs.stateBytes)) / mib,
  }
  const usable = 1 - headroom
  const cores = (records * costs.brokerUs * (1 + (replication - 1) * costs.brokerReplicaShare)) / 1e6 / usable
  const loads: [Part['by'], number][] = [
    ['CPU', cores / costs.brokerCores],
    ['disk', disk.tib / costs.brokerDiskTib / usable],
    ['writing', disk.mibPerSecond / costs.brokerWriteMib / usable],
  ]
  const [by, load] = loads.reduce((most, one) => (one[1] > most[1] ? one : most))
  const needs = Math.max(replication, Math.ceil(load))
  const part: Part = {
    name: 'Kafka',
    unit: 'broker',
    needs,
    cores,
    carries: rate / load,
    by: needs > load + 1 ? 'replication' : by,
    stopsAt: undefined,
  }
  return { part, disk }
}
