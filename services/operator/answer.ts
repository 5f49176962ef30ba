import { describeError } from '../../shared/runtime/log.ts'
import { exitCode, type Terminal } from './terminal.ts'

/** What every command ends with: one document for machines, one text for people, and whether it is as it was asked to be. */
export type Answer = { fulfilled: boolean; document: Record<string, unknown>; text: string }

/** The command line or the environment is wrong: exit code 2. Everything else that is thrown is exit code 1. */
export class UsageError extends Error {}

/** Runs a command's work and prints its answer: `--json` prints one JSON document on standard output, errors included. */
export async function answer(terminal: Terminal, json: boolean, work: () => Promise<Answer>): Promise<number> {
  try {
    const { fulfilled, document, text } = await work()
    terminal.out(json ? `${JSON.stringify(document)}\n` : `${text}\n`)
    return fulfilled ? exitCode.ok : exitCode.failed
  } catch (error) {
    if (json) terminal.out(`${JSON.stringify({ error: describeError(error) })}\n`)
    else terminal.err(`operator: ${describeError(error)}\n`)
    return error instanceof UsageError ? exitCode.usage : exitCode.failed
  }
}

/** Columns of text, each as wide as its widest cell, under a heading. */
export function table(heading: string[], rows: string[][]): string {
  const widths = heading.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(heading), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
