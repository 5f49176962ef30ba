import type { Command } from 'commander'
import { openTopicFacts } from '../../shared/kafka/topic-facts.ts'
import { type CommonOptions, defineCommand, type Frame } from './command.ts'
import { audit, openKafka } from './kafka-session.ts'
import { describeJobs } from './replay/describe-jobs.ts'
import { addGroupCommand } from './replay/group-command.ts'
import { openJournal } from './replay/journal.ts'
import { addRunCommands } from './replay/run-commands.ts'
import { removeSideTopic, sideTopicName } from './replay/side-topic.ts'
import { stopJob } from './replay/stop-job.ts'

/** `operator replay …`: reading again what Kafka still has. */
export function addReplayCommand(program: Command, frame: Frame): void {
  const { terminal, perform } = frame
  const replay = program
    .command('replay')
    .description('read again what Kafka still has: to a side topic, in place, or by a group')
  addRunCommands(replay, frame)

  defineCommand(replay, 'status', {
    summary: 'show all replays, as the audit trail has them',
    examples: ['replay status', 'replay status outage-of-m1001 --json'],
  })
    .argument('[id]', 'only this one')
    .action(
      perform(async (id: string | undefined, _options: CommonOptions) => {
        const journal = await openJournal(openKafka(terminal), terminal)
        const jobs = journal.jobs().filter((job) => id === undefined || job.id === id)
        await journal.close()
        if (id !== undefined && jobs.length === 0) throw new Error(`There is no replay ${id}`)
        return describeJobs(jobs, terminal.now())
      }),
    )

  defineCommand(replay, 'stop', {
    summary: 'stop a replay, wherever it runs; run --resume goes on',
    examples: ['replay stop outage-of-m1001'],
    changes: true,
  })
    .argument('<id>', 'the replay')
    .action(perform((id: string, { dryRun = false }: CommonOptions) => stopJob(openKafka(terminal), terminal, id, dryRun)))

  defineCommand(replay, 'remove', {
    summary: 'delete the side topic of a replay; its records in the audit trail stay',
    examples: ['replay remove release-check'],
    changes: true,
  })
    .argument('<id>', 'the replay')
    .action(
      perform(async (id: string, { dryRun = false }: CommonOptions) => {
        const session = openKafka(terminal)
        const topic = sideTopicName(session, id)
        const facts = await openTopicFacts(session.kafka)
        try {
          if ((await facts.missing([topic])).length > 0) throw new Error(`There is no topic ${topic}`)
          if (dryRun) return { fulfilled: true, document: { topic, dryRun }, text: `${topic} would be deleted.` }
          await removeSideTopic(session, facts, id)
          await audit(session, terminal, 'replay remove', { topic })
          return { fulfilled: true, document: { topic }, text: `${topic} is deleted.` }
        } finally {
          await facts.close()
        }
      }),
    )

  addGroupCommand(replay, frame)
}
