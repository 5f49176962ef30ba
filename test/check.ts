/** `npm run check`: everything that can be said about the code without running it, one result each. */
import { spawn } from 'node:child_process'
import { Command } from 'commander'
import { projectRoot } from '../deploy/local/start-stack.ts'

type Check = { name: string; command: string; args: string[] }
type Result = { passed: boolean; output: string; seconds: number }

const colors = process.stdout.isTTY
const checks: Check[] = [
  { name: 'types (tsc)', command: 'tsc', args: ['--noEmit'] },
  {
    name: 'lint and format (biome)',
    command: 'biome',
    args: ['ci', '--error-on-warnings', `--colors=${colors ? 'force' : 'off'}`],
  },
  { name: 'dead code and dependencies (knip)', command: 'knip', args: ['--no-progress', '--no-config-hints'] },
  { name: 'import rules and tree', command: 'tap', args: ['run', '--reporter=min', 'test/imports.unit.test.ts'] },
]

new Command('npm run check').description(`Checks ${checks.map(({ name }) => name).join(', ')}.`).parse()

const results = checks.map((check) => runCheck(check))
let failed = 0
for (const [index, { name }] of checks.entries()) {
  const { passed, output, seconds } = (await results[index]) as Result
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)\n`)
  if (!passed) process.stdout.write(`${output.trimEnd()}\n`)
  if (!passed) failed++
}
process.exit(failed === 0 ? 0 : 1)

function runCheck({ command, args }: Check): Promise<Result> {
  const begin = performance.now()
  const env = colors ? { ...process.env, FORCE_COLOR: '1' } : { ...process.env, NO_COLOR: '1' }
  const child = spawn(command, args, { cwd: projectRoot, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const result = (passed: boolean): Result => ({ passed, output, seconds: (performance.now() - begin) / 1000 })
  return new Promise((resolve) => {
    child.on('error', (error) => {
      output += error.message
      resolve(result(false))
    })
    child.on('close', (code) => resolve(result(code === 0)))
  })
}
