import type { Command } from 'commander'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { accountedTopics, takeCut } from './account/cut.ts'
import { offsetsIn, readAccount } from './account/read-account.ts'
import { reportAccount } from './account/report.ts'
import { type Answer, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger } from './command.ts'
import { openKafka } from './kafka-session.ts'
import { type PointInTime, pointInTime } from './point-in-time.ts'
import { createProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

type Options = CommonOptions & { from?: PointInTime; to?: PointInTime; limit: number }

/** `operator account`: what became of every raw record, at any time, also while the pipeline runs. */
export function addAccountCommand(program: Command, { terminal, perform }: Frame): void {
  defineCommand(program, 'account', {
    summary: 'account for every raw record: raw = events + duplicates + dead letters, in flight apart',
    examples: ['account', 'account --from 2h', 'account --from 2026-01-30 --to 2026-01-31T12:00:00Z --json'],
    details:
      'Reads the topics read_committed, changes nothing, and may run while the pipeline does: what a stage has not committed is in\n' +
      'flight, not missing. Times are those of the raw records. Outcomes are read up to now whatever --to says, since they may lag.\n' +
      'Exit code 1 when a raw record has no outcome or several, or an outcome has an origin that is no raw record. --json has the positions.',
  })
    .option(
      '--from <time>',
      'raw records from here on: 30m, 2h or 7d ago, or a date or time with zone (default: all retained)',
      pointInTime,
    )
    .option('--to <time>', 'raw records before this (default: up to now)', pointInTime)
    .option('--limit <count>', 'positions of problems to list in --json; all are counted', positiveInteger, 1_000)
    .action(perform((options: Options) => account(terminal, options)))
}

async function account(terminal: Terminal, { from, to, limit }: Options): Promise<Answer> {
  const now = terminal.now()
  const times = { from: from?.(now), to: to?.(now) }
  if ((times.from ?? 0) >= (times.to ?? now)) throw new UsageError('--from must be before --to, and in the past')
  const { kafka, topics, topicPrefix: prefix } = openKafka(terminal)
  const facts = await openTopicFacts(kafka)
  try {
    const missing = await facts.missing(accountedTopics(topics))
    if (missing.length > 0) throw new Error(`Topic ${missing.join(', ')} is missing. Make it with: operator topics apply`)
    const cut = await takeCut(facts, { topics, prefix, now }, times)
    const progress = createProgress(terminal.screen, 'records', offsetsIn(cut))
    const options = { kafka, topics, groupPrefix: `${prefix}operator.`, maxProblems: limit, onProgress: progress.advance }
    const result = await readAccount(cut, options).finally(progress.end)
    return reportAccount(result, { at: new Date(now).toISOString(), uncommitted: cut.uncommitted })
  } finally {
    await facts.close()
  }
}
