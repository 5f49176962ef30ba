import type { Command } from 'commander'
import { defaultCounts, topicSettings } from '../../shared/contracts/topics.ts'
import { applyTopics, planTopics, type TopicDifference, topicShapes } from '../../shared/kafka/topics.ts'
import { type Answer, table } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger } from './command.ts'
import { audit, type KafkaSession, openKafka } from './kafka-session.ts'

type Options = CommonOptions & { partitions: number; replication: number }

const details =
  'Reads KAFKA_BROKERS, TOPIC_PREFIX and the other KAFKA_ variables of deploy/example.env. Nothing here deletes a topic\n' +
  "or raises a live topic's partition count: the partition number is carried from raw to public."

/** `operator topics plan|apply|check`: the topics of `shared/contracts/topics.ts`, as they are and as they should be. */
export function addTopicsCommand(program: Command, { terminal, perform }: Frame): void {
  const topics = program.command('topics').description('create the topics, and see how they differ from what they should be')
  const define = (name: string, summary: string, examples: string[], changes = false) =>
    defineCommand(topics, name, { summary, examples, details, changes })
      .option(
        '--partitions <count>',
        'partitions of every topic but the registry and the audit trail',
        positiveInteger,
        defaultCounts.partitions,
      )
      .option('--replication <count>', 'replicas of every partition', positiveInteger, defaultCounts.replication)

  define('plan', 'show what apply would do', ['topics plan', 'topics plan --partitions 12 --replication 1']).action(
    perform(async (options: Options) => {
      const session = openKafka(terminal)
      return { ...describe(await planTopics(session.kafka, wanted(session, options)), 'as they should be'), fulfilled: true }
    }),
  )
  define('check', 'exit 1 if any topic differs from what it should be', ['topics check --json']).action(
    perform(async (options: Options) => {
      const session = openKafka(terminal)
      return describe(await planTopics(session.kafka, wanted(session, options)), 'as they should be')
    }),
  )
  define(
    'apply',
    'create what is missing, set what differs',
    ['topics apply --dry-run', 'topics apply --replication 1'],
    true,
  ).action(
    perform(async (options: Options) => {
      const session = openKafka(terminal)
      const shapes = wanted(session, options)
      if (options.dryRun) return { ...describe(await planTopics(session.kafka, shapes), 'as they should be'), fulfilled: true }
      const { done, left } = await applyTopics(session.kafka, shapes)
      if (done.length > 0) await audit(session, terminal, 'topics apply', done)
      const text = done.map((difference) => `${difference.mend === 'create' ? 'created' : 'set'} ${sentence(difference)}`)
      const rest = describe(left, done.length > 0 ? 'now as they should be' : 'as they should be; nothing to do')
      return { fulfilled: left.length === 0, document: { done, left }, text: [...text, rest.text].join('\n') }
    }),
  )
}

const wanted = ({ topics }: KafkaSession, { partitions, replication }: Options) =>
  topicShapes(topicSettings(topics, partitions), replication)

function describe(differences: TopicDifference[], ifNone: string): Answer {
  const rows = differences.map((difference) => [difference.mend === 'nobody' ? 'by hand' : difference.mend, sentence(difference)])
  const reasons = [...new Set(differences.map(({ what, why }) => (why ? `${what}: ${why}.` : '')))].filter(Boolean)
  const text =
    differences.length === 0 ? `All topics are ${ifNone}.` : [table(['apply', 'difference'], rows), ...reasons].join('\n')
  return { fulfilled: differences.length === 0, document: { differences }, text }
}

function sentence({ topic, what, name, wanted, found }: TopicDifference): string {
  return what === 'missing' ? `${topic} (${wanted})` : `${topic}: ${name ?? what} ${found ?? 'not set'} → ${wanted}`
}
