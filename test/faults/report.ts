/** The report of a run as lines for people, and the results of all seeds as a page. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import type { Report } from './checker/check-run.ts'
import type { FaultResult } from './run-faults.ts'

export type RunReport = {
  seed: string
  rate: number
  repeat: number
  machine: string
  startedAt: number
  endedAt: number
  results: FaultResult[]
  check: Report
  /** How often each event stands in the services' logs. */
  seen: Record<string, number>
}

const seconds = (ms: number) => (ms / 1000).toFixed(1)

export function reportLines({ results, check, seed }: RunReport): string[] {
  const failed = results.filter(({ failure }) => failure !== undefined)
  const { figures } = check
  return [
    ...results.map(line),
    `seed ${seed}: ${results.length - failed.length} of ${results.length} faults bit and were survived`,
    ...failed.map(({ name, failure }) => `FAILED ${name}: ${failure}`),
    ...accounts(check),
    ...check.totals.map(({ what, says, count }) => `BROKEN ${count} × ${what}: ${says}`),
    ...check.problems.map(({ what, positions }) => `  ${what}: ${positions.join(', ')}`),
    `${figures.acknowledged} acknowledged; ${check.lost} lost, ${check.doubled} doubled, ${check.invented} invented, ${check.wrong} wrong`,
  ]
}

function line({ name, recoveriesMs, targetMs, delayed, duplicates, startedAt, endedAt }: FaultResult): string {
  const longest = Math.max(...recoveriesMs)
  const recovery = recoveriesMs.length === 0 ? '' : `moves again after ${recoveriesMs.map(seconds).join(', ')} s`
  const target = targetMs !== undefined && longest > targetMs ? ` (target ${seconds(targetMs)} s MISSED)` : ''
  return `${name.padEnd(44)} ${seconds(endedAt - startedAt).padStart(6)} s  ${recovery}${target}; ${delayed} delayed, ${duplicates} duplicates`
}

const accounts = ({ figures }: Report) => [
  `raw ${figures.raw} = events ${figures.events} + duplicates ${figures.duplicates} + dead letters ${figures.deadLetters}; ${figures.syncs} syncs; ${figures.aborted} aborted records hidden`,
]

/** RESULTS.md from the reports kept in `dir`; returns what was written. */
export function writeResults(dir: string): string {
  const reports = readdirSync(dir)
    .filter((file) => /^seed-.*\.json$/.test(file))
    .map((file) => JSON.parse(readFileSync(join(dir, file), 'utf8')) as RunReport)
    .sort((a, b) => a.seed.localeCompare(b.seed, 'en', { numeric: true }))
  if (reports.length === 0) throw new Error(`No reports in ${dir}: run npm run test:faults -- --seed 1 first.`)
  const file = join(projectRoot, 'test/faults/RESULTS.md')
  const mutations = join(dir, 'mutations.json')
  const verdicts = existsSync(mutations) ? (JSON.parse(readFileSync(mutations, 'utf8')) as MutationVerdict[]) : []
  writeFileSync(file, resultsPage(reports, verdicts))
  return `${file}: ${reports.length} seeds`
}

/** What `npm run test:mutations` found of one way to break the code. */
export type MutationVerdict = { name: string; faults: string[]; caught: boolean; by: string; seconds: number }

/** Pure. */
function resultsPage(reports: RunReport[], mutations: MutationVerdict[]): string {
  const names = [...new Set(reports.flatMap(({ results }) => results.map(({ name }) => name)))].sort()
  const last = reports.at(-1) as RunReport
  return `${[
    '# Faults survived',
    '',
    'Made by `npm run test:faults -- --results` from runs of `npm run test:faults -- --seed <n>` (`--minutes` ends one early), each checked offline with kcat as a second client.',
    '',
    `Machine: ${last.machine}; Apache Kafka 4.1.2, three nodes, replication 3, min ISR 2; Redis with a replica; kafkajs 2.2.4. Every service twice, the`,
    `gateway once, ${last.rate} notifications a second with 30 % copies and 20 % late cancels; each fault, and each failpoint, as often as the table says.`,
    '',
    '## Accounts',
    '',
    '| seed | faults | times each | attempts | acknowledged | raw | events | duplicates | dead letters | syncs | aborted, hidden | lost | doubled | invented | wrong |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...reports.map(({ seed, repeat, results, check: { figures, lost, doubled, invented, wrong } }) =>
      row([
        ...[
          seed,
          `${results.filter(({ failure }) => !failure).length} of ${results.length}`,
          repeat,
          figures.attempts,
          figures.acknowledged,
        ],
        ...[figures.raw, figures.events, figures.duplicates, figures.deadLetters, figures.syncs, figures.aborted],
        ...[lost, doubled, invented, wrong],
      ]),
    ),
    '',
    '## Recovery',
    '',
    'Seconds from the fault (from its end, where it lasts) until every slot of every stage concerned has committed again and the gateway has',
    'acknowledged: least, middle, most over all seeds. Delayed: records that took longer than a second from the raw topic to the',
    'subscriber while the fault went on; suppressed: copies that were dropped meanwhile. Faults at failpoints run beside each other and have no figure.',
    '',
    '| fault | what | s (min / median / max) | target | delayed | suppressed | shown by |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...names.map((name) => faultRow(reports.flatMap(({ results }) => results.filter((result) => result.name === name)))),
    '',
    '## Seen in the logs',
    '',
    row(['event', ...reports.map(({ seed }) => `seed ${seed}`)]),
    row(['---', ...reports.map(() => '---')]),
    ...watched.map((event) => row([`\`${event}\``, ...reports.map(({ seen }) => seen[event] ?? 0)])),
    '',
    '## Breaking the code turns it red',
    '',
    'Made by `npm run test:mutations`: each change to a copy of the code, the faults named for it, and what they found.',
    '',
    '| mutation | faults | verdict | found |',
    '| --- | --- | --- | --- |',
    ...mutations.map(({ name, faults, caught, by }) =>
      row([name, faults.map((fault) => `\`${fault}\``).join(', '), caught ? 'caught' : '**survived**', by]),
    ),
  ].join('\n')}\n`
}

/** Events that a run without them would make worthless. */
const watched = ['fenced', 'batch-retry', 'claims-rebuilt', 'assigned', 'failpoint', 'exited', 'publish-failed', 'failed']

function faultRow(results: FaultResult[]): string {
  const [{ name, about, targetMs }] = results as [FaultResult]
  const all = results.flatMap(({ recoveriesMs }) => recoveriesMs).sort((a, b) => a - b)
  const middle = all[Math.floor(all.length / 2)] as number
  const times = all.length === 0 ? '' : [all[0] as number, middle, all.at(-1) as number].map(seconds).join(' / ')
  const missed = targetMs !== undefined && all.some((ms) => ms > targetMs) ? ' **missed**' : ''
  const sum = (of: 'delayed' | 'duplicates') => results.map((result) => result[of]).join(', ')
  // The longest run's, which says the most; a failure first.
  const failed = results.find(({ failure }) => failure !== undefined)?.failure
  const proof = failed
    ? `FAILED: ${failed.replace(/ \(log: [^)]*\)/, '')}`
    : results.reduce((longest, { proof = '' }) => (proof.length > longest.length ? proof : longest), '')
  return row([
    `\`${name}\``,
    about,
    times,
    targetMs === undefined ? '' : `${seconds(targetMs)}${missed}`,
    sum('delayed'),
    sum('duplicates'),
    proof,
  ])
}

const row = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`
