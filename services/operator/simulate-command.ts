import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type Provider, providers } from '../../shared/contracts/topics.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadKeyRing } from '../../shared/security/keys.ts'
import { type Answer, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, positiveNumber, share } from './command.ts'
import { createProgress } from './progress.ts'
import { castOf, type Kind, kinds, oddKinds } from './simulator/notification.ts'
import { describeChange, writePlanFile } from './simulator/plan-file.ts'
import { reportText } from './simulator/report.ts'
import { loadSenders } from './simulator/senders.ts'
import { simulate } from './simulator/simulate.ts'
import type { Terminal } from './terminal.ts'

type Options = CommonOptions & {
  target?: string
  keys?: string
  seed: string
  count?: number
  rate?: number
  duplicates: number
  lateCancels: number | true
  compress: number
  concurrency: number
  only: string[]
  planFile?: string
}

const selectable: string[] = [...providers, ...kinds.alipayplus, ...kinds.bluepay, ...oddKinds]

/** `operator simulate`: both providers, signing and sending as they do. */
export function addSimulateCommand(program: Command, { terminal, perform }: Frame): void {
  defineCommand(program, 'simulate', {
    summary: 'send signed notifications of both providers, with duplicates, retries and late cancellations',
    examples: [
      'simulate --target http://127.0.0.1:8080 --keys .local/keys --count 1000 --seed 7',
      'simulate --target http://127.0.0.1:8080 --keys .local/keys --rate 50',
    ],
    details:
      'The same seed and keys give the same notifications in the same order; only Request-Time, and what it signs, differ.\n' +
      'With --rate and without --count it runs until SIGTERM or Ctrl-C. Exit code 1 when something was given up or an answer was wrong.',
  })
    .option('--target <url>', 'where the gateway listens; paths are those of simulator.json')
    .option('--keys <folder>', 'folder of: operator keys make --development')
    .option('--seed <number>', 'what the notifications are made from (default: by chance)', wholeNumber)
    .option(
      '--count <number>',
      'notifications to send, copies included; retries come on top (default: 100 without --rate)',
      positiveInteger,
    )
    .option('--rate <number>', 'notifications per second (default: as fast as they are answered)', positiveNumber)
    .option('--duplicates <share>', 'share of them that are copies: identical, signed anew, concurrent', share, 0.2)
    .option('--late-cancels [share]', 'share of tokens whose cancellation comes before the creation (no value: 0.5)', share, 0.1)
    .option(
      '--compress <times>',
      'how many times faster than documented Alipay+ retries (24 h 22 min by the page)',
      positiveNumber,
      1_200,
    )
    .option('--concurrency <number>', 'requests in flight at once', positiveInteger, 16)
    .option('--only <names>', `providers or kinds, comma-separated: ${selectable.join(', ')}`, selection, [])
    .option('--plan-file <file>', 'write every distinct change with its event id and what became of it')
    .action(perform((options: Options) => runSimulation(terminal, options)))
}

async function runSimulation(terminal: Terminal, options: Options): Promise<Answer> {
  const { keys, planFile, rate, seed = String(randomInt(2 ** 31)) } = options
  const target = targetOf(options.target)
  if (!keys) throw new UsageError('--keys is needed: the folder of operator keys make --development')
  const count = options.count ?? (rate ? undefined : 100)
  const cast = castOf(loadSenders(join(keys, 'simulator.json')))
  // Read before anything is sent: a missing key file is no reason to lose the accounting of a long run.
  const identity = planFile && createIdentity(loadIdentityKey(join(keys, 'identity.json')))
  const progress = createProgress(terminal.screen, 'sent', count)
  const ledger = await simulate(cast, {
    ...{
      target,
      count,
      rate,
      seed,
      duplicates: options.duplicates,
      concurrency: options.concurrency,
      compress: options.compress,
    },
    lateCancels: options.lateCancels === true ? 0.5 : options.lateCancels,
    only: options.only as (Provider | Kind)[],
    keepAll: planFile !== undefined,
    onProgress: progress.advance,
    stop: terminal.stopSignal(),
  }).finally(progress.end)
  const summary = ledger.summary()
  if (planFile && identity) {
    const changes = ledger.changes().map(([change, tally]) => describeChange(change, tally, identity))
    await writePlanFile(planFile, { seed, changes })
  }
  return {
    fulfilled: summary.lost === 0 && summary.wrongAnswers === 0,
    document: { seed, ...summary, trouble: ledger.trouble(), ...(planFile ? { planFile } : {}) },
    text: reportText(seed, summary, ledger.trouble()),
  }
}

function loadIdentityKey(file: string) {
  const [entry] = loadKeyRing(file, 'secret').keys
  if (!entry) throw new Error(`${file} holds no key`)
  return entry.key
}

function targetOf(text: string | undefined): URL {
  if (!text) throw new UsageError('--target is needed: where the gateway listens, like http://127.0.0.1:8080')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.username)
    throw new UsageError('--target must be http://host:port or https://host:port, without a path')
  return url
}

function wholeNumber(text: string): string {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.')
  return text
}

function selection(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !selectable.includes(name))
  if (unknown.length > 0) throw new InvalidArgumentError(`Not known: ${unknown.join(', ')}.`)
  return names
}
