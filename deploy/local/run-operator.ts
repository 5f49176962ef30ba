import { join } from 'node:path'
import { startOwned } from './owned-process.ts'
import { localDir, projectRoot } from './start-stack.ts'

export const nodeBinary = join(projectRoot, 'node_modules/.bin/node')
export const mainOf = (service: string) => join(projectRoot, 'services', service, 'main.ts')

/** Runs one operator command to its end; its own words become the error if it fails. */
export async function runOperator(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const logFile = join(localDir, 'logs/operator.log')
  const operator = await startOwned({ name: 'operator', command: nodeBinary, args: [mainOf('operator'), ...args], env, logFile })
  const { code } = await operator.exited
  if (code === 0) return
  throw new Error(
    `operator ${args.slice(0, 2).join(' ')}: ${operator
      .output()
      .trim()
      .replace(/^operator: /, '')}`,
  )
}
