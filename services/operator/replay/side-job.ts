/** A replay to a side topic as a job: planned, carried out, gone on with. */
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { findScope } from './find-scope.ts'
import type { JobSpec } from './jobs.ts'
import type { InPlaceOptions, Plan } from './plan-job.ts'
import { type JobRun, offsetsDone, type Told } from './run-job.ts'
import { offsetsIn, whereOf } from './scope.ts'
import type { ReplayProgress, ReplaySource } from './selection.ts'
import { loadSideKeys } from './side-keys.ts'
import { planSideReplay, runSideReplay, type SideOptions, type SideResult } from './side-replay.ts'
import { findingLines } from './side-tally.ts'
import { sideTopicName } from './side-topic.ts'
import { selectionOf } from './wanted.ts'

const hourMs = 60 * 60 * 1000

/** Replays everything but for the writing, and says what comes out against what is public. */
export async function planSideJob(
  session: KafkaSession,
  terminal: Terminal,
  facts: TopicFacts,
  options: Omit<InPlaceOptions, 'sync'> & { differences: number },
): Promise<Plan> {
  const { rate, windowHours, differences } = options
  const { scope, notes } = await findScope(session, terminal, facts, options)
  const selection = await selectionOf(session, facts, scope)
  const done: ReplayProgress = {}
  const progress = createProgress(terminal.screen, 'offsets replayed', offsetsIn(scope.ranges))
  const { signal } = new AbortController()
  const result = await planSideReplay(session, facts, sideOptions(session, terminal, scope.source, windowHours, differences), {
    ...{ selection, signal },
    onProgress(where, next) {
      done[whereOf(where)] = next
      progress.advance(offsetsDone(scope.ranges, done))
    },
  }).finally(progress.end)
  const seconds = Math.ceil(Math.max(result.seconds, rate === undefined ? 0 : result.replayed / rate))
  const { document, lines, fulfilled } = tellOf(result)
  return {
    spec: { target: 'side', scope, rate, windowHours },
    fulfilled,
    document: { target: 'side', source: scope.source, ranges: scope.ranges, notes, ...document, seconds },
    lines: [...notes, `${result.replayed} records again, to a side topic.`, ...lines, `About ${seconds} s.`],
  }
}

/** Begins at the beginning whenever it goes on, and writes what is not there yet: its index must have seen what came before. */
export async function runSideJob(
  session: KafkaSession,
  terminal: Terminal,
  facts: TopicFacts,
  { scope, windowHours }: JobSpec,
  { differences, ...run }: JobRun & { differences: number },
): Promise<Told> {
  const selection = await selectionOf(session, facts, scope)
  const options = sideOptions(session, terminal, scope.source, windowHours, differences)
  const result = await runSideReplay(session, facts, options, { ...run, selection })
  const { document, lines, fulfilled } = tellOf(result)
  const there = result.alreadyThere > 0 ? ` ${result.alreadyThere} were there already.` : ''
  return { fulfilled, document, lines: [`In ${result.topic}: ${result.written} events written.${there}`, ...lines] }
}

/** Throws before anything is read or recorded if a replay with this id could not be carried out here. */
export function checkSideJob(session: KafkaSession, terminal: Terminal, id: string, source: ReplaySource): void {
  sideTopicName(session, id)
  if (source === 'raw') loadSideKeys(session, terminal.env)
}

function sideOptions(
  session: KafkaSession,
  terminal: Terminal,
  source: ReplaySource,
  windowHours: number,
  maxDifferences: number,
): SideOptions {
  const normalizer = source === 'raw' ? loadSideKeys(session, terminal.env) : undefined
  return { windowMs: windowHours * hourMs, normalizer, maxDifferences, now: terminal.now }
}

/** As it was asked to be: nothing differs from what is public. */
function tellOf({ findings, replayed, topic, alreadyThere }: SideResult): Told {
  const { changed, new: added, gone } = findings.counts
  return {
    fulfilled: changed + added + gone === 0,
    document: { replayed, ...(topic && { topic, alreadyThere }), ...findings },
    lines: findingLines(findings),
  }
}
