import { Command, InvalidArgumentError } from 'commander'

export type StartOptions = {
  count?: number
  rate?: number
  seed?: string
  duplicates: number
  reset: boolean
  simulate: boolean
}

const about = `Starts Kafka, Redis, all services and a simulator of both providers on this machine, and shows what happens.
Ctrl-C stops everything; data is kept for the next start.`

const environment = `
Environment:
  KAFKA_BROKERS, REDIS_URL  use these instead of starting any; nothing of theirs is reset, and the simulator needs --simulate
  GATEWAY_PORT              port of the gateway (default: a free one, the same at the next start)
  TOPIC_PREFIX              before every topic and group
  LOCAL_DIR                 where keys, data and logs are kept (default: .local)
  and every other variable of deploy/example.env, handed on to the services

Examples:
  $ npm start
  $ npm start -- --count 1000 --seed 7
  $ npm start -- --rate 200 --duplicates 0.5`

/** Reads the command line of `npm start`; prints and exits for --help and mistakes. */
export function readStartOptions(args: string[]): StartOptions {
  return new Command('npm start --')
    .description(about)
    .option(
      '--count <number>',
      'send so many notifications, account for every one, stop; exit 0 only if the accounts hold',
      wholeNumber,
    )
    .option('--rate <number>', 'notifications a second (default: 20; with --count as fast as they are answered)', positive)
    .option('--seed <number>', 'the same seed gives the same notifications (default: by chance)', seed)
    .option('--duplicates <share>', 'share of the notifications that are copies, from 0 to 0.9', share, 0.2)
    .option('--reset', 'begin with empty data', false)
    .option('--simulate', 'send simulated notifications although KAFKA_BROKERS or REDIS_URL is set', false)
    .addHelpText('after', environment)
    .parse(args, { from: 'user' })
    .opts<StartOptions>()
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is needed.')
  return Number(text)
}

function positive(text: string): number {
  if (!(Number(text) > 0 && Number(text) <= 100_000)) throw new InvalidArgumentError('A number above 0 is needed.')
  return Number(text)
}

function seed(text: string): string {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.')
  return text
}

function share(text: string): number {
  if (text.trim() === '' || !(Number(text) >= 0 && Number(text) <= 0.9))
    throw new InvalidArgumentError('A share from 0 to 0.9 is needed.')
  return Number(text)
}
