import { type Command, InvalidArgumentError, Option } from 'commander'
import { defaultWindowHours } from '../../shared/contracts/deduplication-key.ts'
import { defaultCounts } from '../../shared/contracts/topics.ts'
import { UsageError } from './answer.ts'
import { costs } from './capacity/costs.ts'
import { comparePlans, describeCosts, describePlan } from './capacity/describe.ts'
import { type Demand, planCapacity } from './capacity/model.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, positiveNumber, share } from './command.ts'
import { duration } from './point-in-time.ts'

type Options = CommonOptions & {
  rate?: number[]
  mean: number
  copies: number
  body: number
  window: number
  slack: number
  retention: number
  merchants: number
  replication: number
  headroom: number
  costs?: boolean
}

const hourMs = 60 * 60 * 1_000

/** `operator capacity`: what a rate needs, from measured costs; it asks nobody and changes nothing. */
export function addCapacityCommand(program: Command, { perform }: Frame): void {
  defineCommand(program, 'capacity', {
    summary: 'what a rate needs: cores, processes, partitions, brokers, Redis memory, disk, and where each part ends',
    examples: [
      'capacity --rate 20000 --window 7d',
      'capacity --rate 100,1000,20000,200000',
      'capacity --rate 500 --copies 0.4 --body 4096 --merchants 3 --headroom 0.3 --json',
      'capacity --costs',
    ],
    details:
      'Arithmetic over measured costs (--costs shows them, and where each was measured), for the rate of the busiest minutes. CPU is that\n' +
      'of full batches: at a lower rate stages use more of it per record, of what is idle. Cores are of the machine that was measured.',
  })
    .option(
      '--rate <numbers>',
      'notifications a second at the peak, copies included; several, comma-separated: side by side',
      rates,
    )
    .option('--mean <share>', 'the mean rate over days as a share of the peak: what is stored follows it', ratio, 1)
    .option('--copies <share>', 'share of them that are copies', share, 0.2)
    .option('--body <bytes>', 'size of a body', positiveInteger, 1_024)
    .addOption(
      lasting(
        '--window',
        'WINDOW_HOURS of the deduplicator, like 72h or 7d',
        defaultWindowHours * hourMs,
        `${defaultWindowHours}h`,
      ),
    )
    .addOption(lasting('--slack', 'SLACK_HOURS of the deduplicator', 24 * hourMs, '24h'))
    .addOption(lasting('--retention', 'how long all topics are kept, merchant syncs 14d at most', 30 * 24 * hourMs, '30d'))
    .option('--merchants <number>', 'merchant syncs per event', positiveNumber, 1)
    .option('--replication <count>', 'replicas of every partition', positiveInteger, defaultCounts.replication)
    .option('--headroom <share>', 'share of every core, disk and memory that stays free', share, 0.5)
    .option('--costs', 'show the costs instead')
    .action(
      perform(async (options: Options) => {
        if (options.costs) return { fulfilled: true, document: { costs }, text: describeCosts() }
        const plans = demandsOf(options).map((demand) => planCapacity(demand))
        const [only] = plans.length === 1 ? plans : []
        return { fulfilled: true, document: { plans }, text: only ? describePlan(only) : comparePlans(plans) }
      }),
    )
}

function demandsOf({ rate, mean, copies, body, window, slack, retention, merchants, replication, headroom }: Options): Demand[] {
  if (!rate) throw new UsageError('--rate is needed: notifications a second at the peak, like 20000')
  if (retention <= window + slack)
    throw new UsageError('--retention must be more than --window and --slack: claims are made anew from what is kept')
  return rate.map((each) => ({
    ...{ rate: each, mean, copies, bodyBytes: body, windowMs: window, slackMs: slack, retentionMs: retention },
    ...{ syncsPerEvent: merchants, replication, headroom },
  }))
}

function rates(text: string): number[] {
  const numbers = text.split(',').map((part) => Number(part))
  if (numbers.some((value) => !(value >= 1 && value <= 1e9)))
    throw new InvalidArgumentError('Numbers from 1 to 1,000,000,000 are needed, like 20000 or 100,1000.')
  return numbers
}

function ratio(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('A share above 0, up to 1, is needed.')
  return value
}

const lasting = (flag: string, description: string, defaultMs: number, shown: string) =>
  new Option(`${flag} <duration>`, description).argParser(duration).default(defaultMs, shown)
