import { type Command, CommanderError, InvalidArgumentError } from 'commander'
import { type Answer, answer } from './answer.ts'
import { exitCode, type Terminal } from './terminal.ts'

/** What a command file gets: where to write, and the frame that runs its work and keeps its exit code. */
export type Frame = { terminal: Terminal; perform: Perform }
type Perform = <Args extends unknown[]>(work: (...args: Args) => Promise<Answer>) => (...args: Args) => Promise<void>

/** The options that `defineCommand` gives every command; `dryRun` only to those that change something. */
export type CommonOptions = { json?: boolean; dryRun?: boolean }

/** One style for all commands: a summary, `--json`, `--dry-run` where something would change, and examples that work. */
export function defineCommand(
  parent: Command,
  name: string,
  options: { summary: string; examples: string[]; details?: string; changes?: boolean },
): Command {
  const command = parent.command(name).description(options.summary).option('--json', 'print one JSON document')
  if (options.changes) command.option('--dry-run', 'say what would change, change nothing')
  const examples = options.examples.map((example) => `  $ operator ${example}`).join('\n')
  return command.addHelpText('after', `${options.details ? `\n${options.details}\n` : ''}\nExamples:\n${examples}`)
}

/** Parses the command line with the given program and returns the exit code; nothing else ends the process. */
export async function runProgram(terminal: Terminal, build: (frame: Frame) => Command): Promise<number> {
  let code: number = exitCode.ok
  const perform: Perform =
    (work) =>
    async (...args) => {
      const command = args.at(-1) as Command
      code = await answer(terminal, command.opts().json === true, () => work(...args))
    }
  try {
    await build({ terminal, perform }).parseAsync(terminal.args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
    throw error
  }
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is needed.')
  return Number(text)
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number from 0 is needed.')
  return Number(text)
}

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError('A number above 0 is needed.')
  return value
}

export function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 0.9)) throw new InvalidArgumentError('A share from 0 to 0.9 is needed.')
  return value
}
