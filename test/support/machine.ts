/** What a report says of where it was made. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem, type } from 'node:os'
import { projectRoot } from '../../deploy/local/start-stack.ts'

export const machine = () =>
  `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()}, Node ${process.version}`

export function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8' }).trim()
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}
