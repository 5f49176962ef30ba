import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type Exit, startOwned } from '../../deploy/local/owned-process.ts'
import { heapLimits, mainOf, nodeBinary } from '../../deploy/local/run-operator.ts'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import type { Teardown } from './topic-set.ts'
import { waitFor } from './wait-for.ts'

export type ServiceUnderTest = {
  name: string
  pid: number
  /** `http://127.0.0.1:…` of /livez, /readyz and /metrics. */
  probeUrl: string
  /** Everything it wrote, and that as one object per JSON line. */
  output: () => string
  lines: () => Record<string, unknown>[]
  /** Resolves when /readyz says yes; rejects with its output if it ends before. */
  untilReady: () => Promise<void>
  exited: Promise<Exit>
  /** kill -9. */
  kill: () => Promise<Exit>
  /** SIGSTOP and SIGCONT: a process that hangs, and wakes up late. */
  pause: () => void
  resume: () => void
  /** SIGTERM, and its exit. */
  stop: () => Promise<Exit>
}

let started = 0

/**
 * Starts `services/<name>/main.ts` (or `script`, if it is no service) as a process of its own, with no environment but the given one. It is
 * stopped at the end of the test if it still runs; its log stays in `.local/test/logs`.
 */
export async function startService(
  t: Teardown,
  name: string,
  env: Record<string, string>,
  script = mainOf(name),
): Promise<ServiceUnderTest> {
  const probePort = await freePort()
  const owned = await startOwned({
    name,
    command: nodeBinary,
    args: [...heapLimits, script],
    env: { PATH: process.env.PATH, PROBE_PORT: String(probePort), ...env },
    logFile: join(projectRoot, '.local/test/logs', `${process.pid}-${++started}-${name}.log`),
  })
  const output = () => readFileSync(owned.logFile, 'utf8')
  const probeUrl = `http://127.0.0.1:${probePort}`
  t.teardown(async () => {
    owned.kill('SIGCONT')
    await owned.stop()
  })
  const isReady = async () => {
    if (owned.exit()) return true
    return (await fetch(`${probeUrl}/readyz`)).ok
  }
  return {
    name,
    pid: owned.pid,
    probeUrl,
    output,
    lines: () => output().split('\n').flatMap(parseLine),
    async untilReady() {
      await waitFor(`${name} to be ready`, isReady)
      if (owned.exit()) throw new Error(`${name} ended before it was ready:\n${output()}`)
    },
    exited: owned.exited,
    async kill() {
      owned.kill('SIGKILL')
      return owned.exited
    },
    pause: () => owned.kill('SIGSTOP'),
    resume: () => owned.kill('SIGCONT'),
    stop: () => owned.stop(),
  }
}

function parseLine(line: string): Record<string, unknown>[] {
  try {
    return [JSON.parse(line) as Record<string, unknown>]
  } catch {
    return []
  }
}
