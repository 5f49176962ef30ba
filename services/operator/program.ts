import { Command } from 'commander'
import { addAccountCommand } from './account-command.ts'
import { addCapacityCommand } from './capacity-command.ts'
import type { Frame } from './command.ts'
import { addDlqCommand } from './dlq-command.ts'
import { addKeysCommand } from './keys-command.ts'
import { addMerchantsCommand } from './merchants-command.ts'
import { addReplayCommand } from './replay-command.ts'
import { addSimulateCommand } from './simulate-command.ts'
import { addTopicsCommand } from './topics-command.ts'

/** The whole command line: one `add…Command` a subcommand, each in its own file. */
export function createProgram(frame: Frame): Command {
  const { terminal } = frame
  const program = new Command('operator')
    .description('Operates the token notification pipeline.')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError('(--help shows how)')
    .addHelpText('after', '\nExit codes: 0 done and well, 1 failed or not as it should be, 2 wrong command line or environment.')
  addTopicsCommand(program, frame)
  addMerchantsCommand(program, frame)
  addKeysCommand(program, frame)
  addAccountCommand(program, frame)
  addDlqCommand(program, frame)
  addReplayCommand(program, frame)
  addSimulateCommand(program, frame)
  addCapacityCommand(program, frame)
  return program
}
