/** Child processes that end with us: each in a process group of its own, its output in a log file, and never outliving its parent. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Exit = { code: number | null; signal: NodeJS.Signals | null }
export type OwnedProcess = {
  name: string
  pid: number
  logFile: string
  /** What it wrote so far, or the last bytes of it. */
  output: () => string
  exited: Promise<Exit>
  /** The exit, once there is one. */
  exit: () => Exit | undefined
  kill: (signal: NodeJS.Signals) => void
  /** SIGTERM, then SIGKILL after the grace; resolves with its exit. */
  stop: (graceMs?: number) => Promise<Exit>
}

/** Without `logFile` its output goes where ours goes. */
type Start = { name: string; command: string; args: string[]; logFile?: string; env?: NodeJS.ProcessEnv; cwd?: string }

const keptOutputBytes = 64 * 1024

/** Whatever way this process exits, its children go first. */
const running = new Set<OwnedProcess>()
process.on('exit', () => {
  for (const owned of running) owned.kill('SIGKILL')
})

/**
 * A group of its own, because Ctrl-C goes to the whole foreground group and Kafka must not stop before the services do. Against our own
 * sudden death the kernel helps: util-linux's `setpriv --pdeathsig` (Linux) has it kill the child when this process dies, however it
 * dies. Where setpriv is missing (macOS), a kill -9 of this process leaves its children running.
 */
export function startOwned({ name, command, args, logFile, env = process.env, cwd }: Start): Promise<OwnedProcess> {
  const log = logFile === undefined ? 'inherit' : openLog(logFile)
  const [program, ...programArgs] = canTieToParent()
    ? ['setpriv', '--pdeathsig', 'KILL', '--', command, ...args]
    : [command, ...args]
  const { NODE_COMPILE_CACHE } = process.env
  const child = spawn(program as string, programArgs, {
    detached: true,
    stdio: ['ignore', log, log],
    env: NODE_COMPILE_CACHE ? { ...env, NODE_COMPILE_CACHE } : env,
    cwd,
  })
  if (log !== 'inherit') closeSync(log)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => resolve(describe(name, child, logFile)))
  })
}

function openLog(logFile: string): number {
  mkdirSync(dirname(logFile), { recursive: true })
  return openSync(logFile, 'w')
}

function describe(name: string, child: ChildProcess, logFile = ''): OwnedProcess {
  const pid = child.pid as number
  let exit: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      running.delete(owned)
      resolve(exit)
    })
  })
  const kill = (signal: NodeJS.Signals) => {
    if (exit) return
    try {
      process.kill(-pid, signal)
    } catch {
      // It ended a moment ago; `exited` is about to say so.
    }
  }
  const owned: OwnedProcess = {
    name,
    pid,
    logFile,
    output: () => (logFile ? readFileSync(logFile).subarray(-keptOutputBytes).toString('utf8') : ''),
    exited,
    exit: () => exit,
    kill,
    async stop(graceMs = 10_000) {
      kill('SIGTERM')
      const late = setTimeout(() => kill('SIGKILL'), graceMs)
      const ended = await exited
      clearTimeout(late)
      return ended
    },
  }
  running.add(owned)
  return owned
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let tied: boolean | undefined
function canTieToParent(): boolean {
  tied ??= spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0
  return tied
}

/** Waits until `isReady`; throws with `explain(output)` if the process dies first or the time is over. */
export async function untilReady(
  owned: OwnedProcess,
  isReady: () => boolean | Promise<boolean>,
  { timeoutMs, explain }: { timeoutMs: number; explain: (why: string) => string },
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isReady())) {
    const exit = owned.exit()
    if (exit) throw new Error(explain(`ended with ${exit.signal ?? `exit code ${exit.code}`} before it was ready`))
    if (Date.now() > deadline) throw new Error(explain(`was not ready after ${timeoutMs / 1000} s`))
    await sleep(50)
  }
}

/** One sentence for why a program ended: what its output shows, and where to read on. */
export function explainDeath(owned: OwnedProcess, why: string): string {
  const output = owned.output()
  if (/No space left on device|ENOSPC/i.test(output))
    return `${owned.name} stopped because the disk is full (log: ${owned.logFile}).`
  if (/Address already in use|BindException|EADDRINUSE/i.test(output))
    return `${owned.name} could not start because another program has taken its port (log: ${owned.logFile}).`
  if (/Cannot allocate memory|OutOfMemoryError|insufficient memory/i.test(output))
    return `${owned.name} stopped because memory ran out (log: ${owned.logFile}).`
  const last = output.trimEnd().split('\n').at(-1)?.trim().slice(0, 300)
  return `${owned.name} ${why}${last ? `; its last line: ${last}` : ''} (log: ${owned.logFile}).`
}
