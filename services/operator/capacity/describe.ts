/** A plan in words: a table for a rate, or one for several side by side, and where it ends. Pure. */
import { table } from '../answer.ts'
import { type Cost, costs } from './costs.ts'
import type { Demand, Part, Plan } from './model.ts'

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const whole = (value: number) => number.format(value)
/** Two digits are all that such figures are good for. */
const rough = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })
const about = (value: number) => (value >= 1e15 ? '–' : rough.format(value))
const hourMs = 60 * 60 * 1_000
const span = (ms: number) => (ms % (24 * hourMs) === 0 ? `${ms / 24 / hourMs} d` : `${about(ms / hourMs)} h`)

const units = { process: 'processes', server: 'servers', broker: 'brokers' } as const
const needsOf = ({ needs, unit }: Part) =>
  needs === undefined ? 'does not fit' : `${whole(needs)} ${needs === 1 ? unit : units[unit]}`
const slotsOf = ({ slots }: Part) => (slots === undefined ? '' : `, SLOTS=${slots}`)
const inTime = (days: number) => (days < 2 ? `${about(days * 24)} hours` : `${about(days)} days`)

/** One rate, in full. */
export function describePlan(plan: Plan): string {
  const { demand, flow, parts, partitions, cores, redis, disk } = plan
  const rows = parts.map((part) => [
    part.name,
    `${needsOf(part)}${slotsOf(part)}`,
    about(part.cores),
    part.carries > 0 ? `${about(part.carries)}/s` : '–',
    part.by,
    perSecond(part),
  ])
  return [
    `${whole(flow.notifications)} notifications a second at the peak: ${whole(flow.events)} events, ${whole(flow.duplicates)} duplicates, ${whole(flow.syncs)} merchant syncs.`,
    assumptions(demand),
    '',
    table(['part', 'needs', 'cores', 'one carries', 'limited by', 'stops at'], rows),
    '',
    `Topics      ${partitions} partitions, which are never raised later: operator topics apply --partitions ${partitions} --replication ${demand.replication}`,
    `Redis       ${about(redis.gib)} GiB for ${about(redis.claims)} claims (${span(demand.windowMs)} and ${span(demand.slackMs)} of slack), and as much for a replica; all made anew in ${inTime(plan.rebuildHours / 24)}, while events wait`,
    `Disk        ${about(disk.tib)} TiB for ${span(demand.retentionMs)}, written at ${about(disk.mibPerSecond)} MiB/s; both with all replicas`,
    `Cores       ${about(cores)} in all`,
    '',
    ...limits(plan),
  ].join('\n')
}

/** Several rates side by side. */
export function comparePlans(plans: Plan[]): string {
  const columns = plans.map(({ flow }) => `${whole(flow.notifications)}/s`)
  const row = (name: string, of: (plan: Plan) => string) => [name, ...plans.map(of)]
  const partOf = (name: Part['name'], { parts }: Plan) => parts.find((part) => part.name === name) as Part
  const names = (plans[0] as Plan).parts.map(({ name }) => name)
  const rows = [
    row('cores in all', ({ cores }) => about(cores)),
    ...names.map((name) => row(name, (plan) => needsOf(partOf(name, plan)))),
    row('partitions', ({ partitions }) => whole(partitions)),
    row('Redis memory', ({ redis }) => `${about(redis.gib)} GiB`),
    row('claims made anew', ({ rebuildHours }) => `in ${inTime(rebuildHours / 24)}`),
    row('disk', ({ disk }) => `${about(disk.tib)} TiB`),
    row('written', ({ disk }) => `${about(disk.mibPerSecond)} MiB/s`),
    row('token-states full', ({ forEver }) => `after ${inTime(forEver.tokenStatesFullAfterDays)}`),
  ]
  const { demand, first } = plans[0] as Plan
  return [
    assumptions(demand),
    '',
    table(['peak', ...columns], rows),
    '',
    `${first.name} ends first, at ${perSecond(first)}.`,
  ].join('\n')
}

function assumptions({
  mean,
  copies,
  bodyBytes,
  windowMs,
  slackMs,
  retentionMs,
  syncsPerEvent,
  replication,
  headroom,
}: Demand): string {
  const percent = (share: number) => `${about(share * 100)} %`
  return (
    `With ${percent(copies)} copies, bodies of ${whole(bodyBytes)} bytes, a window of ${span(windowMs)} and ${span(slackMs)} of slack, ${span(retentionMs)} kept,\n` +
    `${about(syncsPerEvent)} sync${syncsPerEvent === 1 ? '' : 's'} an event, replication ${replication}, a mean rate of ${percent(mean)} of the peak, and ${percent(headroom)} of everything free.`
  )
}

const perSecond = ({ stopsAt }: Part) => (stopsAt === undefined ? '–' : `${about(stopsAt)}/s`)

function limits({ demand, parts, first, forEver }: Plan): string[] {
  const beyond = parts.filter(({ stopsAt }) => stopsAt !== undefined && stopsAt < demand.rate).map(({ name }) => name)
  const [gateway, normalizer, deduplicator, sync, states, redis] = parts as [Part, Part, Part, Part, Part, Part]
  return [
    beyond.length > 0 ? `One pipeline does not carry this: ${beyond.join(', ')} cannot.` : 'One pipeline carries this.',
    `As the rate grows, ${first.name} ends first, at ${perSecond(first)}.`,
    `As time goes by, token-states: each of its processes keeps every token that has ended, ${costs.endedTokenBytes.value} bytes, for ever, and at this rate`,
    `has filled the ${costs.heapGib.value} GiB that Node gives it after ${inTime(forEver.tokenStatesFullAfterDays)}.`,
    '',
    'Where each part ends, and what then:',
    `- ${gateway.name}: nowhere; its processes share nothing. Each has one request at a time under way to each broker.`,
    `- ${normalizer.name} (${perSecond(normalizer)}), ${deduplicator.name} (${perSecond(deduplicator)}), ${sync.name} (${perSecond(sync)}): a process takes whole slots, so no more processes than`,
    `  SLOTS, no more slots than partitions, and a group of more than ${costs.mostMembers.value} processes stops too often for its joins. Then: several pipelines.`,
    `- ${states.name} (${perSecond(states)}): every process follows all states, so that more of them help less and less. Then: several pipelines.`,
    `- Redis (${perSecond(redis)}): first one server, then a Redis Cluster (redis+cluster://…). The claims of a partition lie on one server, so no more`,
    `  servers than partitions, ${costs.mostPartitions.value}. Then: larger servers, a shorter window, or several pipelines.`,
    '- Kafka: more brokers and the partitions moved to them (kafka-reassign-partitions.sh). Where disk is what fills: the normalized topic is needed for',
    '  window and slack only, the others as long as somebody wants to read again.',
    `- token-states.v1 keeps a record per token, for ever: ${about(forEver.statesTibPerYear)} TiB more each year.`,
    '- Several pipelines: each with a TOPIC_PREFIX, a Redis and some of the accounts of its own, the registry in each. No identity spans two',
    '  accounts, so none loses its duplicates, its order or its states.',
  ]
}

/** The table behind the arithmetic. */
export function describeCosts(): string {
  const rows = Object.entries<Cost>(costs).map(([name, { value, unit, origin }]) => [
    name,
    `${Number(value.toPrecision(4))} ${unit}`,
    origin,
  ])
  return table(['cost', 'value', 'origin'], rows)
}
