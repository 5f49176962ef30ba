/** A downstream team's consumer group, set to other offsets while it is stopped. */
import { groupId, parsePosition, stageNames } from '../../../shared/contracts/topics.ts'
import type { GroupOffsets, Groups } from '../../../shared/kafka/groups.ts'
import type { TopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { UsageError } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import { lostBefore, startsAt } from './find-ranges.ts'
import type { ReplayRange } from './selection.ts'

/** Where to: one for all partitions, or positions, which leave the partitions alone that they do not name. */
export type ResetTo = { kind: 'earliest' | 'latest' } | { kind: 'time'; at: number } | { kind: 'offsets'; positions: string[] }

/** One partition. `from` undefined: the group has committed nothing there. Lags are in offsets. */
export type Move = { topic: string; partition: number; from: number | undefined; to: number; lagBefore: number; lagAfter: number }

/** Throws for a group of the pipeline's own stages, and for one that has members. */
export async function checkStopped(groups: Groups, group: string, prefix: string): Promise<void> {
  const stage = stageNames.find((name) => groupId(name, prefix) === group)
  if (stage)
    throw new UsageError(
      `${group} is this pipeline's own ${stage}: set back it would do again what it has done, and the deduplicator stops when it sees that. To replay, see operator replay run`,
    )
  const { state, members } = await groups.describe(group)
  if (state === 'Empty' || state === 'Dead') return
  const listed = members.map(({ clientId, host }) => `${clientId} (${host})`).join(', ')
  throw new Error(
    `${group} is running (${state}): stop its members first: ${listed || 'they are just joining'}. Nothing was changed`,
  )
}

/** What would change, partition by partition. Throws for offsets that are not there, or a time before what is kept. */
export async function planMoves(
  session: KafkaSession,
  facts: TopicFacts,
  committed: GroupOffsets,
  { group, topic, to, now }: { group: string; topic: string | undefined; to: ResetTo; now: number },
): Promise<{ moves: Move[]; unsure: string[] }> {
  const topics = topicsToMove(committed, group, topic, to)
  const missing = await facts.missing(topics)
  if (missing.length > 0) throw new Error(`There is no topic ${missing.join(', ')}`)
  const moves: Move[] = []
  const refused: string[] = []
  const atBegin: ReplayRange[] = []
  for (const name of topics) {
    const bounds = await facts.allBounds(name)
    const targets = await targetsOf(session, facts, name, to)
    for (const [partition, wanted] of targets ?? [...bounds].map(([partition]): [number, undefined] => [partition, undefined])) {
      const { low, high } = bounds.get(partition) ?? { low: -1, high: -1 }
      const offset = wanted ?? (to.kind === 'earliest' ? low : high)
      if (high < 0) refused.push(`${name} has no partition ${partition}`)
      else if (offset > high) refused.push(`${name}/${partition} ends at ${high}: ${offset} is not there yet`)
      else if (offset < low) refused.push(`${name}/${partition} begins at ${low}: offsets ${offset} to ${low - 1} left retention`)
      if (to.kind === 'time' && offset === low) atBegin.push({ topic: name, partition, from: low, to: high })
      const from = committed.get(name)?.get(partition)
      const lagBefore = high - Math.min(high, Math.max(from ?? low, low))
      moves.push({ topic: name, partition, from, to: offset, lagBefore, lagAfter: high - offset })
    }
  }
  const { gone, unsure } = await lostBefore(session, facts, atBegin, { since: to.kind === 'time' ? to.at : undefined, now })
  refused.push(...gone)
  if (refused.length > 0)
    throw new Error(`Nothing was changed:\n${refused.join('\n')}\nFrom what is still there on: --to-earliest`)
  return { moves: moves.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition)), unsure }
}

function topicsToMove(committed: GroupOffsets, group: string, topic: string | undefined, to: ResetTo): string[] {
  if (to.kind === 'offsets') {
    const named = to.positions.map((text) => {
      const position = parsePosition(text)
      if (!position) throw new UsageError(`${text} is no position, such as token-events.v1/0/1728`)
      return position.topic
    })
    if (topic !== undefined && named.some((name) => name !== topic))
      throw new UsageError('--to-offsets names another topic than --topic')
    return [...new Set(named)]
  }
  if (topic !== undefined) return [topic]
  if (committed.size === 0)
    throw new UsageError(`${group} has committed nothing: is it written right? For a new group say --topic`)
  return [...committed.keys()]
}

/** Offsets by partition; undefined: all partitions, to their beginning or end. */
async function targetsOf(
  session: KafkaSession,
  facts: TopicFacts,
  topic: string,
  to: ResetTo,
): Promise<Map<number, number> | undefined> {
  switch (to.kind) {
    case 'earliest':
    case 'latest':
      return undefined
    case 'time':
      return startsAt(session, facts, topic, to.at)
    case 'offsets': {
      const targets = new Map<number, number>()
      for (const text of to.positions) {
        const position = parsePosition(text)
        if (position?.topic === topic) targets.set(position.partition, Number(position.offset))
      }
      return targets
    }
  }
}
