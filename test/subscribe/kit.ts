/** The programs of deploy/subscribe as a team would have them: copied to a folder of their own, built, and run by what the machine has. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import { ensureInstalled, ensureProgram } from '../../deploy/local/installed-program.ts'
import { type OwnedProcess, startOwned } from '../../deploy/local/owned-process.ts'
import { nodeBinary } from '../../deploy/local/run-operator.ts'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { temporaryFolder } from '../pipeline/pipeline.ts'
import type { Teardown } from '../support/topic-set.ts'

const examples = join(projectRoot, 'deploy/subscribe')
const debianPython = '/usr/bin/python3'
const modules = '/usr/lib/python3/dist-packages'

/** Without the project's own programs and what npm tells its scripts: a shell in another folder. */
const shell = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => !/^(npm_|INIT_CWD$)/.test(name))
    .map(([name, value]) => [name, name === 'PATH' ? withoutNodeModules(value) : value]),
)

function withoutNodeModules(path = ''): string {
  const folders = path.split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return folders.join(delimiter)
}

/** Tap has every Node child load its hooks; `env` takes that back. */
const plain = ['-u', 'NODE_OPTIONS', '--']

const run = async (cwd: string, ...command: string[]) =>
  (await promisify(execFile)('env', [...plain, ...command], { cwd, env: shell, timeout: 180_000 })).stdout

/** A line of an example: position, event id, type, late, token ref, and what its sealed part holds. */
export type Line = string[]
export type Running = { lines: () => Line[]; output: () => string; exit: OwnedProcess['exit']; stop: OwnedProcess['stop'] }
export type Example = { name: string; start: (t: Teardown, env: Record<string, string>) => Promise<Running> }

let started = 0

const example = (name: string, cwd: string, ...command: string[]): Example => ({
  name,
  async start(t, env) {
    const logFile = join(projectRoot, '.local/test/logs', `${process.pid}-${++started}-subscribe-${name}.log`)
    const owned = await startOwned({
      name,
      command: 'env',
      args: [...plain, ...command],
      cwd,
      env: { ...shell, ...env },
      logFile,
    })
    t.teardown(() => void owned.kill('SIGKILL'))
    const output = () => stripVTControlCharacters(readFileSync(logFile, 'utf8'))
    return { lines: () => linesIn(output()), output, exit: owned.exit, stop: () => owned.stop() }
  },
})

const linesIn = (output: string): Line[] => output.split('\n').flatMap((line) => (line.includes('\t') ? [line.split('\t')] : []))

/** The examples that keep their place in a group, each ready to run until the end of the test. */
export async function prepareExamples(t: Teardown): Promise<Example[]> {
  const python = (name: string) => join(modules, name)
  ensureInstalled({
    find: () =>
      [debianPython, python('confluent_kafka'), python('jwcrypto')].every((file) => existsSync(file)) ? debianPython : undefined,
    missing: 'Python has no confluent_kafka and jwcrypto',
    debianPackages: ['python3', 'python3-confluent-kafka', 'python3-jwcrypto'],
    log: console.error,
  })
  ensureProgram('jq', 'jq', console.error)
  ensureProgram('javac', 'default-jdk-headless', console.error)
  const [typescript, java] = await Promise.all([buildTypeScript(copyOf(t, 'typescript')), buildJava(copyOf(t, 'java'))])
  return [typescript, java, example('python', join(examples, 'python'), debianPython, 'subscribe.py')]
}

function copyOf(t: Teardown, name: string): string {
  const folder = temporaryFolder()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(examples, name), folder, { recursive: true })
  return folder
}

/** Packed, installed into a folder that knows nothing of this project, compiled there, run by the machine's own Node. */
async function buildTypeScript(folder: string): Promise<Example> {
  const tarball = (await run(projectRoot, nodeBinary, join(examples, 'contracts/pack.ts'))).trim()
  await run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball)
  await run(folder, 'npm', 'run', 'build')
  return example('typescript', folder, 'node', 'subscribe.js')
}

async function buildJava(folder: string): Promise<Example> {
  await run(folder, 'mvn', '-q', '-B', 'compile', 'dependency:copy-dependencies')
  return example('java', folder, 'java', '-cp', 'target/classes:target/dependency/*', 'Subscribe')
}

/** kcat and jq, until the end of the topic as of now. */
export async function kcatLines(env: Record<string, string>, ...args: string[]): Promise<Line[]> {
  const options = { env: { ...shell, ...env }, timeout: 30_000, maxBuffer: 64 * 1024 * 1024 }
  return linesIn((await promisify(execFile)(join(examples, 'kcat/subscribe.sh'), ['-e', ...args], options)).stdout)
}
