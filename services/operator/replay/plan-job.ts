import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { findScope, type ScopeOptions } from './find-scope.ts'
import { createJudge, type InPlacePlan, planInPlace, refusalOf } from './in-place.ts'
import type { JobSpec } from './jobs.ts'
import { offsetsIn } from './scope.ts'
import { countSyncs, createSyncsOf, findSyncJob, type SyncJob } from './sync-again.ts'

export type InPlaceOptions = ScopeOptions & { sync?: string[]; rate?: number; windowHours: number }

/** What would be done. `fulfilled`: it can be, and differs in nothing from what is public. `refused`: why it cannot. */
export type Plan = {
  spec: JobSpec
  fulfilled: boolean
  refused?: string | undefined
  document: Record<string, unknown>
  lines: string[]
}

/** Reads everything that a replay in place would, counts, and writes nothing. */
export async function planInPlaceJob(
  session: KafkaSession,
  terminal: Terminal,
  facts: TopicFacts,
  options: InPlaceOptions,
): Promise<Plan> {
  const begun = performance.now()
  const { sync: merchants, rate, windowHours } = options
  const { scope, notes } = await findScope(session, terminal, facts, options)
  if (scope.source === 'events' && !merchants)
    throw new UsageError(
      `Events in place would come to every subscriber of ${session.topics.events} a second time. Leave --in-place out, which takes a side topic, or say --sync merchant=… for syncs alone`,
    )
  const progress = createProgress(terminal.screen, 'offsets read', offsetsIn(scope.ranges))
  const raw = scope.source === 'raw' ? await planRaw(session, facts, terminal, scope, windowHours, progress.advance) : undefined
  progress.end()
  const refused = raw && refusalOf(raw, windowHours)
  const sync = merchants && (await findSyncJob(session, facts, scope, merchants))
  const syncs = sync && !refused ? await planSyncs(session, facts, terminal, scope, sync) : 0
  const writes = (raw?.copies ?? 0) + syncs
  const readingSeconds = (performance.now() - begun) / 1000
  const seconds = Math.ceil(Math.max(readingSeconds, rate === undefined ? 0 : writes / rate))
  const spec: JobSpec = { target: 'in-place', scope, sync, rate, windowHours }
  const plan = { copies: raw?.copies ?? 0, verdicts: { duplicate: raw?.copies ?? 0 }, syncs, leftOut: raw?.leftOut }
  return {
    spec,
    fulfilled: refused === undefined,
    refused,
    document: { target: 'in-place', source: scope.source, ranges: scope.ranges, notes, ...plan, refused, seconds },
    lines: linesOf(session, { raw, syncs, merchants, notes, seconds, refused }),
  }
}

async function planRaw(
  session: KafkaSession,
  facts: TopicFacts,
  terminal: Terminal,
  scope: JobSpec['scope'],
  windowHours: number,
  onRead: (offsets: number) => void,
): Promise<InPlacePlan> {
  const judge = await createJudge(session, facts, scope, { windowHours, now: terminal.now })
  return planInPlace(session, scope, judge, onRead)
}

async function planSyncs(
  session: KafkaSession,
  facts: TopicFacts,
  terminal: Terminal,
  scope: JobSpec['scope'],
  job: SyncJob,
): Promise<number> {
  const syncsOf = await createSyncsOf(session, facts, scope, job)
  return countSyncs(session, facts, job, syncsOf, terminal.now())
}

type Told = {
  raw: InPlacePlan | undefined
  syncs: number
  merchants: string[] | undefined
  notes: string[]
  seconds: number
  refused: string | undefined
}

function linesOf({ topics }: KafkaSession, { raw, syncs, merchants, notes, seconds, refused }: Told): string[] {
  const { notSelected = 0, earlierCopies = 0, deadLetters = 0 } = raw?.leftOut ?? {}
  const said: [boolean, string][] = [
    [raw !== undefined, `${raw?.copies} raw records again, in place: each ends as a duplicate, ${topics.events} gets nothing.`],
    [notSelected > 0, `${notSelected} other records lie between them.`],
    [earlierCopies > 0, `${earlierCopies} copies of earlier replays are left out.`],
    [
      deadLetters > 0,
      `${deadLetters} dead letters are left out: operator dlq redrive sends back those that can be understood now.`,
    ],
    [merchants !== undefined, `${syncs} syncs again, with the ids they had, to ${merchants?.join(', ')}.`],
    [refused === undefined, `About ${seconds} s.`],
    [refused !== undefined, `Refused: ${refused}`],
  ]
  return [...notes, ...said.filter(([holds]) => holds).map(([, text]) => text)]
}
