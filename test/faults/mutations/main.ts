/** `npm run test:mutations`: breaks a copy of the code in one way after the other, and runs the faults that must show it. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { startOwned } from '../../../deploy/local/owned-process.ts'
import { nodeBinary } from '../../../deploy/local/run-operator.ts'
import { localDir, projectRoot } from '../../../deploy/local/start-stack.ts'
import type { MutationVerdict, RunReport } from '../report.ts'
import { type Mutation, mutations } from './mutations.ts'

const options = new Command('npm run test:mutations --')
  .description('Breaks a copy of the code in one way after the other; the faults named for it must turn red.')
  .option('--only <names>', 'comma-separated: mutations whose name contains one of these')
  .option('--seed <number>', 'as for npm run test:faults', '1')
  .option('--list', 'list the mutations, run nothing', false)
  .parse()
  .opts<{ only?: string; seed: string; list: boolean }>()

const timeoutMs = 15 * 60_000
const resultsFile = join(localDir, 'faults/mutations.json')
const say = (line: string) => void process.stdout.write(`${line}\n`)

const parts = options.only?.split(',') ?? ['']
const chosen = mutations.filter(({ name }) => parts.some((part) => name.includes(part)))
if (options.list) for (const { name, faults } of chosen) say(`${name}: ${faults.join(', ')}`)
else process.exitCode = await run()

async function run(): Promise<number> {
  if (chosen.length === 0) throw new Error(`No mutation fits ${options.only}; --list shows them.`)
  const verdicts: MutationVerdict[] = []
  for (const [index, mutation] of chosen.entries()) {
    const verdict = await judge(mutation)
    verdicts.push(verdict)
    say(
      `${index + 1}/${chosen.length} ${verdict.caught ? 'caught  ' : 'SURVIVED'} ${verdict.name}: ${verdict.by} (${verdict.seconds} s)`,
    )
    keep(verdict)
  }
  const survived = verdicts.filter(({ caught }) => !caught)
  say(`${verdicts.length - survived.length} caught, ${survived.length} survived`)
  return survived.length === 0 ? 0 : 1
}

async function judge(mutation: Mutation): Promise<MutationVerdict> {
  const { name, faults, failpoints } = mutation
  const startedAt = Date.now()
  const copy = join(localDir, 'mutant')
  makeCopy(copy)
  mutate(copy, mutation)
  const logFile = join(localDir, 'faults/mutant.log')
  const args = [
    'test/faults/main.ts',
    '--json',
    '--seed',
    options.seed,
    '--repeat',
    String(mutation.repeat),
    '--only',
    faults.join(','),
    ...(failpoints ? ['--failpoints', failpoints.join(',')] : []),
  ]
  const mutant = await startOwned({
    name: 'mutant',
    command: nodeBinary,
    args,
    cwd: copy,
    logFile,
    env: { ...process.env, LOCAL_DIR: join(copy, '.local') },
  })
  const late = setTimeout(() => void mutant.stop(60_000), timeoutMs)
  const { code } = await mutant.exited
  clearTimeout(late)
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  const output = readFileSync(logFile, 'utf8')
  const report = reportIn(output)
  if (report) return { name, faults, caught: code === 1, by: evidence(report), seconds }
  // A pipeline that stands still never gets to its accounts.
  const standstill = output.split('\n').find((line) => /^Waited .* to move again/.test(line))
  if (!standstill) throw new Error(`${name}: the run gave no report (exit code ${code}; log: ${logFile})`)
  return { name, faults, caught: true, by: standstill, seconds }
}

/** What git would commit, uncommitted changes included; what was installed and fetched is shared. */
function makeCopy(copy: string): void {
  rmSync(copy, { recursive: true, force: true })
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
  })
  for (const file of files
    .trim()
    .split('\n')
    .filter((file) => existsSync(join(projectRoot, file)))) {
    mkdirSync(join(copy, dirname(file)), { recursive: true })
    cpSync(join(projectRoot, file), join(copy, file))
  }
  mkdirSync(join(copy, '.local'))
  // What the first of all copies fetches is there for the others.
  mkdirSync(join(projectRoot, '.local/kafka'), { recursive: true })
  for (const shared of ['node_modules', '.local/kafka']) symlinkSync(join(projectRoot, shared), join(copy, shared))
}

function mutate(copy: string, { name, file, find, replace }: Mutation): void {
  const text = readFileSync(join(copy, file), 'utf8')
  if (text.split(find).length !== 2) throw new Error(`${name}: ${file} does not hold the text exactly once: ${find}`)
  writeFileSync(
    join(copy, file),
    text.replace(find, () => replace),
  )
}

function reportIn(output: string): RunReport | undefined {
  try {
    return JSON.parse(
      output
        .trimEnd()
        .split('\n')
        .findLast((line) => line.startsWith('{"seed"')) ?? '',
    ) as RunReport
  } catch {
    return undefined
  }
}

function evidence({ results, check }: RunReport): string {
  const found = [
    ...check.totals.map(({ what, count }) => `${count} × ${what}`),
    ...results.flatMap(({ name, failure }) => (failure ? [`${name}: ${failure}`] : [])),
  ]
  return found.join('; ') || 'nothing'
}

/** For RESULTS.md; a mutation that is run again replaces its old verdict. */
function keep(verdict: MutationVerdict): void {
  const kept = existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as MutationVerdict[]) : []
  mkdirSync(dirname(resultsFile), { recursive: true })
  writeFileSync(resultsFile, JSON.stringify([...kept.filter(({ name }) => name !== verdict.name), verdict], null, 2))
}
