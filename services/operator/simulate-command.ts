import { randomInt } from 'node:crypto'
import { access, constants } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type Provider, providers } from '../../shared/contracts/topics.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadKeyRing } from '../../shared/security/keys.ts'
import { type Answer, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, positiveNumber, share } from './command.ts'
import { checkConformance, listCases, selectCases } from './conformance/conformance.ts'
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
  seed?: string
  count?: number
  rate?: number
  duplicates: number
  lateCancels: number | true
  compress: number
  concurrency: number
  only?: string[]
  planFile?: string
  conformance?: boolean
  list?: boolean
  allowRemote?: boolean
}

const selectable: string[] = [...providers, ...kinds.alipayplus, ...kinds.bluepay, ...oddKinds]

/** `operator simulate`: both providers, signing and sending as they do. */
export function addSimulateCommand(program: Command, { terminal, perform }: Frame): void {
  defineCommand(program, 'simulate', {
    summary: 'send signed notifications of both providers, with duplicates, retries and late cancellations',
    examples: [
      'simulate --target http://127.0.0.1:8080 --keys .local/keys --count 1000 --seed 7',
      'simulate --target http://127.0.0.1:8080 --keys .local/keys --rate 50',
      'simulate --target http://127.0.0.1:8080 --keys .local/keys --conformance',
      'simulate --list --only alipayplus/forged',
    ],
    details:
      'The same seed and keys give the same notifications in the same order; only Request-Time, and what it signs, differ.\n' +
      'With --rate and without --count it runs until SIGTERM or Ctrl-C. Exit code 1 when something was given up or an answer was wrong.\n\n' +
      '--conformance sends every documented form and every hostile case once and checks the answers to the letter (exit code 1 if one\n' +
      'is wrong). What verifies is a notification like any other, and goes through the pipeline.',
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
    .option('--only <names>', `comma-separated: ${selectable.join(', ')}; for cases: how their names begin`, commaSeparated)
    .option('--plan-file <file>', 'write every distinct change with its event id and what became of it')
    .option('--conformance', 'send the conformance cases instead, and check each answer')
    .option('--list', 'list the conformance cases, send nothing')
    .option('--allow-remote', 'send hostile cases to a target that is not on loopback')
    .action(
      perform(async (options: Options) => {
        if (options.list) return listCases(options.only ?? [])
        return options.conformance ? runConformance(terminal, options) : runSimulation(terminal, options)
      }),
    )
}

/** What both ways of sending need. */
function readCommon({ target, keys, seed = String(randomInt(2 ** 31)) }: Options) {
  const url = targetOf(target)
  if (!keys) throw new UsageError('--keys is needed: the folder of operator keys make --development')
  return { target: url, senders: loadSenders(join(keys, 'simulator.json')), seed, keys }
}

async function runConformance(terminal: Terminal, options: Options): Promise<Answer> {
  const { target, senders, seed } = readCommon(options)
  const { only = [], allowRemote = false } = options
  const progress = createProgress(terminal.screen, 'cases', selectCases(only).length)
  return checkConformance({ target, senders, seed, only, allowRemote, onProgress: progress.advance }).finally(progress.end)
}

async function runSimulation(terminal: Terminal, options: Options): Promise<Answer> {
  const { planFile, rate, duplicates, concurrency, compress } = options
  const { target, senders, seed, keys } = readCommon(options)
  const only = checkKinds(options.only ?? [])
  const count = options.count ?? (rate ? undefined : 100)
  // Before anything is sent: a missing key file or a wrong path is no reason to lose the accounting of a long run.
  if (planFile) await access(dirname(resolve(planFile)), constants.W_OK)
  const identity = planFile && createIdentity(loadIdentityKey(join(keys, 'identity.json')))
  const progress = createProgress(terminal.screen, 'sent', count)
  const ledger = await simulate(castOf(senders), {
    ...{ target, count, rate, seed, duplicates, concurrency, compress, only },
    lateCancels: options.lateCancels === true ? 0.5 : options.lateCancels,
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

const commaSeparated = (text: string) => text.split(',').map((name) => name.trim())

function checkKinds(names: string[]): (Provider | Kind)[] {
  const unknown = names.filter((name) => !selectable.includes(name))
  if (unknown.length > 0) throw new UsageError(`--only: not known: ${unknown.join(', ')}. Known: ${selectable.join(', ')}`)
  return names as (Provider | Kind)[]
}
