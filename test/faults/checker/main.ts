/** `node test/faults/checker/main.ts`: decides whether a run that is at rest kept the promises. Exit 0: yes; 1: no; 2: it cannot be decided. */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { type CheckOptions, checkRun, type Report } from './check-run.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is needed.')
  return Number(text)
}

const program = new Command('checker')
  .description(
    'Reads every topic of a run that is at rest with kcat, and decides: acknowledged ⊆ raw with equal bytes; raw = events + duplicates + dead\nletters; one event per change; one sync per event and subscription; order and late; nothing aborted shows; duplicates point to their original.',
  )
  .requiredOption('--brokers <list>', 'host:port, separated by commas')
  .option('--prefix <text>', 'prefix of topics and groups', '')
  .requiredOption('--history <file>', 'client.jsonl: every HTTP attempt of the load')
  .requiredOption('--keys <folder>', 'folder with raw.private.json')
  .option('--positions <file>', 'JSON lines {"topic","partition","offset"} of all that another read_committed client read')
  .option('--examples <number>', 'problems named of each kind', count, 10)
  .option('--json', 'print one JSON document')
  .addHelpText(
    'after',
    '\nExample:\n  $ node test/faults/checker/main.ts --brokers 127.0.0.1:9092 --prefix run-1. --history client.jsonl --keys keys',
  )
  .exitOverride()

try {
  const { json, ...options } = program.parse().opts<CheckOptions & { json?: boolean }>()
  const report = await checkRun(options)
  for (const line of json ? [JSON.stringify(report, null, 2)] : linesFor(report)) say(line)
  process.exitCode = report.ok ? 0 : 1
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    process.stderr.write(`Nothing is decided: ${(error as Error).message}\n`)
    process.exitCode = 2
  }
}

function linesFor({ ok, lost, doubled, invented, wrong, totals, problems, figures }: Report): string[] {
  const { raw, events, duplicates, deadLetters } = figures
  return [
    ...totals.flatMap(({ check, what, says, count }) => [
      `${check}: ${what} ${count}: ${says}`,
      ...problems.filter((problem) => problem.what === what).map(({ positions }) => `  ${positions.join('  ')}`),
    ]),
    `raw ${raw}, events ${events} + duplicates ${duplicates} + dead letters ${deadLetters} = ${events + duplicates + deadLetters}`,
    Object.entries(figures)
      .map(([name, figure]) => `${name} ${figure}`)
      .join(', '),
    ok ? 'Every promise held.' : `BROKEN: ${lost} lost, ${doubled} doubled, ${invented} invented, ${wrong} wrong.`,
  ]
}
