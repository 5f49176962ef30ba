/** From what was sent and what was seen to how long each change took, and where. Pure. */
import { type Figure, type Goal, type Plot, percentile } from './bench.ts'
import type { Hop, Seen } from './observer-worker.ts'
import type { Sent } from './open-loop-worker.ts'
import type { CommittedBatch } from './stage-run.ts'

/** One change on its way; milliseconds since 1970. `dueAt`: when the first request that told of it was to be sent. */
export type Journey = Sent & { keptAt: number; normalizedAt: number; eventAt: number; syncAt: number }

/** One journey per distinct change that was sent. Throws if one has no event or no sync, or more than one. */
export function journeysOf(sent: Sent[], seen: Seen[]): Journey[] {
  const seenAt = (hop: Hop) => new Map(seen.filter((one) => one.hop === hop).map((one) => [one.origin, one.seenAt]))
  const [normalized, synced] = [seenAt('normalized'), seenAt('syncs')]
  const syncs = seen.filter(({ hop }) => hop === 'syncs').length
  if (syncs !== synced.size) throw new Error(`${syncs - synced.size} syncs came twice`)
  const events = new Map<string, Seen>()
  for (const event of seen) {
    if (event.hop !== 'events') continue
    if (events.has(event.id)) throw new Error(`Event ${event.id} came twice`)
    events.set(event.id, event)
  }
  const firsts = new Map<string, Sent>()
  // In the order of their moments, so the first of a change is kept.
  for (const one of sent.toSorted((a, b) => a.dueAt - b.dueAt)) if (!firsts.has(one.eventId)) firsts.set(one.eventId, one)
  return [...firsts.values()].map((first) => {
    const event = events.get(first.eventId)
    if (!event) throw new Error(`A request was acknowledged, and its event ${first.eventId} never came`)
    const [normalizedAt, syncAt] = [normalized.get(event.origin), synced.get(event.origin)]
    if (normalizedAt === undefined || syncAt === undefined) throw new Error(`Event ${event.id} came, and its sync never did`)
    return { ...first, keptAt: event.keptAt, normalizedAt, eventAt: event.seenAt, syncAt }
  })
}

/** What was measured at one rate, in one repeat. */
export type Measured = { journeys: Journey[]; batches: Record<WaterfallStage, CommittedBatch[]> }
export type WaterfallStage = 'normalizer' | 'deduplicator' | 'merchant-sync'

/** The way, hop by hop: averages, because those of the parts add up to that of the whole. */
const hops: { name: string; what: string; stage?: WaterfallStage; from: keyof Journey; to: keyof Journey }[] = [
  { name: 'acknowledged', what: 'request to answer', from: 'dueAt', to: 'acknowledgedAt' },
  { name: 'raw', what: "request to the raw record's timestamp", from: 'dueAt', to: 'keptAt' },
  {
    name: 'normalized',
    what: 'from there to the normalized event readable',
    stage: 'normalizer',
    from: 'keptAt',
    to: 'normalizedAt',
  },
  { name: 'event', what: 'from there to the event readable', stage: 'deduplicator', from: 'normalizedAt', to: 'eventAt' },
  { name: 'sync', what: 'from there to the sync readable', stage: 'merchant-sync', from: 'eventAt', to: 'syncAt' },
]

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const spent = (journeys: Journey[], from: keyof Journey, to: keyof Journey) =>
  journeys.map((journey) => Number(journey[to]) - Number(journey[from]))

/** What a record met, so a batch counts once for each of its records. */
function meanOf(batches: CommittedBatch[], part: 'stepMs' | 'transactionMs'): number {
  const records = batches.reduce((sum, batch) => sum + batch.records, 0)
  return batches.reduce((sum, batch) => sum + batch.records * batch[part], 0) / records
}

/** Latencies at one rate, and where they come from. `name`: `end-to-end/1000`. */
export function journeyFigures(name: string, repeats: Measured[], goals: { p50: Goal[]; p99: Goal[] }): Figure[] {
  const inOrder = repeats.map(({ journeys }) => spent(journeys, 'dueAt', 'syncAt').sort((a, b) => a - b))
  const late = repeats.map(({ journeys }) => Math.max(...spent(journeys, 'dueAt', 'sentAt')))
  const latency = (percent: 50 | 99, note?: string): Figure => ({
    name: `${name}/p${percent}`,
    what: `request to merchant sync readable, ${percent}th percentile`,
    unit: 'ms',
    values: inOrder.map((latencies) => percentile(latencies, percent / 100)),
    goals: goals[`p${percent}`],
    ...(note && { note }),
  })
  const average = (place: string, what: string, values: number[]): Figure => ({
    ...{ name: `${name}/${place}`, what: `${what}, on average`, unit: 'ms', values, goals: [] },
  })
  return [
    latency(50),
    latency(99, `counted from each request's own moment; the sender was late by ${late.map(Math.round).join(', ')} ms at most`),
    ...hops.flatMap(({ name: hop, what, stage, from, to }) => {
      const whole = repeats.map(({ journeys }) => mean(spent(journeys, from, to)))
      if (!stage) return [average(hop, what, whole)]
      const part = (field: 'stepMs' | 'transactionMs') => repeats.map(({ batches }) => meanOf(batches[stage], field))
      const [step, transaction] = [part('stepMs'), part('transactionMs')]
      const rest = whole.map((all, index) => all - (step[index] as number) - (transaction[index] as number))
      return [
        average(hop, what, whole),
        average(`${hop}/step`, `of that the ${stage}'s step, by its log`, step),
        average(`${hop}/transaction`, 'of that its transaction, by its log', transaction),
        average(
          `${hop}/waits`,
          'the rest: for the transaction before it, the fetch, and the reader (a record is readable a little before its transaction is over)',
          rest,
        ),
      ]
    }),
  ]
}

/** The waterfall over the seconds of a run: each line is a point on the way, and the space between two is a hop. */
export function journeyPlots(title: string, { journeys, batches }: Measured): Plot[] {
  const begun = Math.min(...journeys.map(({ dueAt }) => dueAt))
  const second = (at: number) => Math.max(0, Math.floor((at - begun) / 1000))
  const last = Math.max(...journeys.map(({ dueAt }) => second(dueAt)))
  const x = { label: 'second', values: Array.from({ length: last + 1 }, (_, index) => index) }
  const each = <T>(all: T[], at: (one: T) => number, value: (some: T[]) => number): (number | null)[] => {
    const bySecond = Map.groupBy(all, (one) => second(at(one)))
    return x.values.map((index) => {
      const some = bySecond.get(index)
      return some ? value(some) : null
    })
  }
  const reached = hops.map(({ name, to }) => ({
    name,
    y: each(
      journeys,
      ({ dueAt }) => dueAt,
      (some) => mean(spent(some, 'dueAt', to)),
    ),
  }))
  const parts = (Object.keys(batches) as WaterfallStage[]).flatMap((stage) =>
    (['stepMs', 'transactionMs'] as const).map((part) => ({
      name: `${stage}: ${part === 'stepMs' ? 'step' : 'transaction'}`,
      y: each(
        batches[stage],
        ({ committedAt }) => committedAt,
        (some) => meanOf(some, part),
      ),
    })),
  )
  return [
    { title: `${title}: from a request's moment until …, average of each second`, x, unit: 'ms', series: reached },
    { title: `${title}: inside the stages, average of each second`, x, unit: 'ms', series: parts },
  ]
}
