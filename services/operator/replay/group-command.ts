import type { Command } from 'commander'
import { openGroups } from '../../../shared/kafka/groups.ts'
import { openTopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { type Answer, table, UsageError } from '../answer.ts'
import { type CommonOptions, defineCommand, type Frame } from '../command.ts'
import { audit, openKafka } from '../kafka-session.ts'
import { type PointInTime, pointInTime } from '../point-in-time.ts'
import type { Terminal } from '../terminal.ts'
import { checkStopped, type Move, planMoves, type ResetTo } from './reset-group.ts'

type Options = CommonOptions & {
  group: string
  topic?: string
  toOffsets?: string[]
  toTime?: PointInTime
  toEarliest?: boolean
  toLatest?: boolean
}

/** `operator replay group`: a downstream team reads again, from an offset or a time on. */
export function addGroupCommand(replay: Command, { terminal, perform }: Frame): void {
  defineCommand(replay, 'group', {
    summary: "set the offsets of a downstream team's consumer group, while it is stopped",
    examples: [
      'replay group --group team-ledger --to-time 2h --dry-run',
      'replay group --group team-ledger --to-offsets token-events.v1/0/1728 token-events.v1/3/1690',
      'replay group --group team-new --topic token-events.v1 --to-earliest',
    ],
    details:
      'Refused while the group has members, since they would commit over it. Without --topic: every topic that the group has committed for.\n' +
      'By time: the first record that was accepted then or later; some from just before may come behind it.',
    changes: true,
  })
    .requiredOption('--group <id>', 'the consumer group')
    .option('--topic <name>', 'only of this topic; needed for a group that is new')
    .option('--to-offsets <positions...>', 'topic/partition/offset to go on from; other partitions stay')
    .option('--to-time <time>', '30m, 2h or 7d ago, or a date or time with zone', pointInTime)
    .option('--to-earliest', 'what is still there')
    .option('--to-latest', 'only what comes from now on')
    .action(perform((options: Options) => resetGroup(terminal, options)))
}

async function resetGroup(terminal: Terminal, { group, topic, dryRun = false, ...options }: Options): Promise<Answer> {
  const to = resetTo(options, terminal.now())
  const session = openKafka(terminal)
  const facts = await openTopicFacts(session.kafka)
  const groups = await openGroups(session.kafka)
  try {
    await checkStopped(groups, group, session.topicPrefix)
    const wanted = { group, topic, to, now: terminal.now() }
    const { moves, unsure } = await planMoves(session, facts, await groups.committed(group), wanted)
    const changed = moves.filter(({ from, to }) => from !== to)
    if (!dryRun && changed.length > 0) {
      for (const [name, ofTopic] of Map.groupBy(changed, (move) => move.topic))
        await groups.setOffsets(group, name, new Map(ofTopic.map(({ partition, to }) => [partition, to])))
      await audit(session, terminal, 'replay group', { group, moves: changed })
    }
    return describe({ group, moves, unsure, changed: changed.length, dryRun })
  } finally {
    await groups.close()
    await facts.close()
  }
}

function resetTo({ toOffsets, toTime, toEarliest, toLatest }: Omit<Options, 'group' | 'topic'>, now: number): ResetTo {
  const wanted: ResetTo[] = []
  if (toOffsets) wanted.push({ kind: 'offsets', positions: toOffsets })
  if (toTime) wanted.push({ kind: 'time', at: toTime(now) })
  if (toEarliest) wanted.push({ kind: 'earliest' })
  if (toLatest) wanted.push({ kind: 'latest' })
  const [to, other] = wanted
  if (!to || other) throw new UsageError('Say where to: one of --to-offsets, --to-time, --to-earliest and --to-latest')
  return to
}

type Reset = { group: string; moves: Move[]; unsure: string[]; changed: number; dryRun: boolean }

function describe({ group, moves, unsure, changed, dryRun }: Reset): Answer {
  const rows = moves.map(({ topic, partition, from, to, lagBefore, lagAfter }) => [
    ...[`${topic}/${partition}`, from === undefined ? '(none)' : String(from), String(to), String(lagBefore), String(lagAfter)],
  ])
  const done = `${changed} partitions ${dryRun ? 'would be' : 'were'} set${changed < moves.length ? `; ${moves.length - changed} are there already` : ''}.`
  return {
    fulfilled: true,
    document: { group, moves, unsure, changed, dryRun },
    text: [table(['partition', 'from', 'to', 'lag', 'lag then'], rows), ...unsure, done].join('\n'),
  }
}
