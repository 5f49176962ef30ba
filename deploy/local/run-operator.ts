import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from './start-stack.ts'

export const nodeBinary = join(projectRoot, 'node_modules/.bin/node')
export const mainOf = (service: string) => join(projectRoot, 'services', service, 'main.ts')

/** Runs one operator command to its end; its own words become the error if it fails. */
export async function runOperator(args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(nodeBinary, [mainOf('operator'), ...args], { env })
    return stdout
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
    throw new Error(`operator ${args.slice(0, 2).join(' ')}: ${(stderr || stdout).trim().replace(/^operator: /, '')}`)
  }
}
