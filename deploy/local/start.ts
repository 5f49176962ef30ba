/**
 * `npm start`: the whole pipeline on this machine. Kafka and Redis → topics → keys → merchants → the services → the simulator, each a process
 * of its own; stopped in the opposite order.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../../shared/runtime/log.ts'
import { accountForAll, untilNothingWaits } from './account-for-all.ts'
import { type Display, startDisplay } from './display.ts'
import { followTopics } from './follow-topics.ts'
import { keepPorts } from './free-ports.ts'
import { keyFiles, startPipeline } from './pipeline.ts'
import { runOperator } from './run-operator.ts'
import { sampleCurl } from './sample-curl.ts'
import { startSimulator } from './simulation.ts'
import { readStartOptions, type StartOptions } from './start-options.ts'
import { localDir, localPartitions, startStack } from './start-stack.ts'
import { subscribeLines } from './subscribe-lines.ts'
import { makeTopics, quietKafka } from './topics.ts'
import { StopRequested, untilStopped } from './until-stopped.ts'

const keysDir = join(localDir, 'keys')
const logDir = join(localDir, 'logs')

const say = (line: string) => void process.stdout.write(`${line}\n`)
const options = readStartOptions(process.argv.slice(2))
const { stopped, unlessStopped, fail } = untilStopped()
/** What was started, in order; stopped from the last to the first. */
const stops: (() => Promise<void>)[] = []
let display: Display | undefined

process.exit(await main())

async function main(): Promise<number> {
  const { KAFKA_BROKERS: brokers, REDIS_URL: redisUrl } = process.env
  const simulate = options.simulate || !(brokers || redisUrl)
  try {
    if (options.count !== undefined && !simulate)
      throw new Error('--count sends notifications: with KAFKA_BROKERS or REDIS_URL set it needs --simulate.')
    return await run(options, { brokers, redisUrl }, simulate)
  } catch (error) {
    display?.stop()
    process.stderr.write(`${describeError(error)}\n`)
    return error instanceof StopRequested ? 130 : 1
  } finally {
    display?.stop()
    if (stops.length > 0) say('Stopping …')
    for (const stop of stops.toReversed()) await stop()
  }
}

async function run(start: StartOptions, external: { brokers?: string; redisUrl?: string }, simulate: boolean): Promise<number> {
  const prefix = process.env.TOPIC_PREFIX ?? ''
  const ownKafka = !external.brokers
  const stack = await unlessStopped(startStack({ dir: localDir, reset: start.reset, log: say, external, onDeath: fail }))
  stops.push(stack.stop)
  await unlessStopped(makeMissingKeys())
  const kafka = quietKafka(stack.brokers)
  const topics = await unlessStopped(makeTopics(kafka, { prefix, partitions: localPartitions, own: ownKafka }))

  const env = await serviceEnv(stack)
  if (simulate) await unlessStopped(runOperator(['merchants', 'put', join(keysDir, 'merchants.json')], env))
  const follow = { kafka, topics, prefix, onDeath: (error: Error) => fail(`The live view lost Kafka: ${describeError(error)}`) }
  const following = await unlessStopped(followTopics({ ...follow, from: ownKafka || start.count ? 'beginning' : 'end' }))
  stops.push(following.stop)
  const pipeline = await unlessStopped(startPipeline({ env, logDir, onDeath: fail }))
  stops.push(pipeline.stop)
  const gatewayUrl = `http://127.0.0.1:${env.GATEWAY_PORT}`
  for (const line of introduction(stack, prefix, gatewayUrl, simulate)) say(line)

  display = startDisplay(following, process.stdout)
  display.note('reading what is kept')
  await unlessStopped(following.caughtUp)
  display.note('')
  if (!simulate) {
    await stopped
    return 0
  }
  const before = following.counts().raw
  const simulator = await startSimulator({ start, gatewayUrl, keysDir, logDir })
  stops.push(async () => void (await simulator.process.stop(5_000)))
  if (start.count === undefined) {
    void simulator.process.exited.then(() => fail(`The simulator ended by itself (log: ${simulator.process.logFile}).`))
    await stopped
    return 0
  }
  display.note(`sending ${start.count}`)
  const result = await unlessStopped(simulator.result())
  display.note('all sent; waiting until each is accounted for')
  await unlessStopped(untilNothingWaits(following, before + result.acknowledged))
  const { holds, lines } = await unlessStopped(accountForAll(follow, env, result))
  display.stop()
  for (const line of lines) say(line)
  return holds ? 0 : 1
}

/** First start: development keys, and the accounts of a demonstration. Never made anew: every id is made with them. */
async function makeMissingKeys(): Promise<void> {
  if (existsSync(join(keysDir, 'identity.json')) || Object.keys(keyFiles(keysDir)).every((name) => process.env[name])) return
  say(`Making development keys in ${keysDir} …`)
  const { KAFKA_BROKERS: _unused, ...env } = process.env
  await runOperator(['keys', 'make', '--development', '--out', keysDir], env)
}

/** What the caller's environment says goes; what it leaves open is of this machine. */
async function serviceEnv({ brokers, redisUrl }: { brokers: string; redisUrl: string }): Promise<NodeJS.ProcessEnv> {
  mkdirSync(join(localDir, 'data'), { recursive: true })
  const port = process.env.GATEWAY_PORT ?? String((await keepPorts(join(localDir, 'data/ports.json'), ['gateway'])).gateway)
  return { ...keyFiles(keysDir), ...process.env, KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, GATEWAY_PORT: port }
}

function introduction(
  stack: { brokers: string; redisUrl: string },
  prefix: string,
  gatewayUrl: string,
  simulate: boolean,
): string[] {
  const curl = sampleCurl(gatewayUrl, keysDir, Date.now())
  return [
    `Kafka    ${stack.brokers}`,
    `Redis    ${stack.redisUrl}`,
    `Gateway  ${gatewayUrl}`,
    `Logs     ${logDir}`,
    'Read the public topic:',
    ...subscribeLines(stack.brokers, prefix).map((line) => `  ${line}`),
    ...(curl ? ['Send a notification by hand (again: a duplicate):', `  ${curl}`] : []),
    ...(simulate ? [] : ['No simulator: KAFKA_BROKERS or REDIS_URL is set; --simulate starts it.']),
    '',
  ]
}
