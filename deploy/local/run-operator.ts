import { join } from 'node:path'
import { startOwned } from './owned-process.ts'
import { localDir, projectRoot } from './start-stack.ts'

export const nodeBinary = join(projectRoot, 'node_modules/.bin/node')
export const mainOf = (service: string) => join(projectRoot, 'services', service, 'main.ts')
/**
 * Left alone, V8 sizes its heap by the machine and collects late: 250 to 400 MiB a service. With these it takes 115 to 230 and some more CPU (README,
 * *Operate*).
 */
export const heapLimits = ['--max-old-space-size=256', '--max-semi-space-size=8']

/** Runs one operator command to its end; its own words become the error if it fails. */
export async function runOperator(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, output } = await run(args, env)
  if (code !== 0) throw new Error(`operator ${args.slice(0, 2).join(' ')}: ${output.replace(/^operator: /, '')}`)
}

/** The document that a command answers with `--json`, whether or not it found things as they should be. Throws what kept it from answering. */
export async function askOperator<Document>(args: string[], env: NodeJS.ProcessEnv): Promise<Document> {
  const { output } = await run(args, env)
  const document = documentIn<Document & { error?: string }>(output)
  if (!document || document.error) throw new Error(`operator ${args[0]}: ${document?.error ?? output}`)
  return document
}

async function run(args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const logFile = join(localDir, 'logs/operator.log')
  const operator = await startOwned({ name: 'operator', command: nodeBinary, args: [mainOf('operator'), ...args], env, logFile })
  const { code } = await operator.exited
  return { code, output: operator.output().trim() }
}

/** The JSON document on the last line of what a command wrote. */
export function documentIn<Document>(output: string): Document | undefined {
  try {
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Document
  } catch {
    return undefined
  }
}
