/** `npm run stack`: only Kafka and Redis, on the data that `npm start` keeps, for tools and second readers. */
import { Command } from 'commander'
import { describeError } from '../../shared/runtime/log.ts'
import { localDir, localPartitions, startStack } from './start-stack.ts'
import { subscribeLines } from './subscribe-lines.ts'
import { makeTopics, quietKafka } from './topics.ts'
import { StopRequested, untilStopped } from './until-stopped.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

const { reset } = new Command('npm run stack --')
  .description('Starts Kafka and Redis on the data that npm start keeps, and makes the topics. Ctrl-C stops them.')
  .option('--reset', 'begin with empty data', false)
  .addHelpText('after', '\nEnvironment: KAFKA_BROKERS, REDIS_URL (used instead; nothing of theirs is reset), TOPIC_PREFIX.')
  .parse()
  .opts<{ reset: boolean }>()
const { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, TOPIC_PREFIX: prefix = '' } = process.env

const { stopped, unlessStopped, fail } = untilStopped()
try {
  const external = { brokers, redisUrl }
  const stack = await unlessStopped(startStack({ dir: localDir, reset, log: say, external, onDeath: fail }))
  try {
    await unlessStopped(makeTopics(quietKafka(stack.brokers), { prefix, partitions: localPartitions, own: !brokers }))
    say(`Kafka:  ${stack.brokers}`)
    say(`Redis:  ${stack.redisUrl}`)
    say('Read the public topic:')
    for (const line of subscribeLines(stack.brokers, prefix)) say(`  ${line}`)
    say('Ctrl-C stops.')
    await stopped
    say('Stopping …')
  } finally {
    await stack.stop()
  }
  process.exit(0)
} catch (error) {
  if (!(error instanceof StopRequested)) process.stderr.write(`${describeError(error)}\n`)
  process.exit(error instanceof StopRequested ? 130 : 1)
}
