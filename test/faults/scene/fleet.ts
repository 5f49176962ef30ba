/** The pipeline's services as supervised processes: whatever ends is started again, as a deployment would do it. */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type OwnedProcess, startOwned } from '../../../deploy/local/owned-process.ts'
import { type ServiceName, serviceNames } from '../../../deploy/local/pipeline.ts'
import { heapLimits, mainOf, nodeBinary } from '../../../deploy/local/run-operator.ts'
import { waitFor } from '../../support/wait-for.ts'

/** One line of a member's log; `at` in milliseconds since 1970, of this process's clock where the member's is far off. */
export type Line = { at: number; clockOffMs: number; event: string; member: Member; [field: string]: unknown }

export type Member = {
  service: ServiceName
  number: number
  process: OwnedProcess
  /** The failpoint it was started with. */
  armed: string
  /** How often it has been assigned partitions. */
  generations: () => number
}

export type Fleet = ReturnType<typeof createFleet>

type Options = { env: NodeJS.ProcessEnv; logDir: string; members: Record<ServiceName, number>; extra?: NodeJS.ProcessEnv }

const tailMs = 50
const restartPauseMs = 100
const stopGraceMs = 30_000
/** A member that hung writes what it had to say when it wakes up. */
const clockSlackMs = 600_000

export function createFleet({ env, logDir, members: wanted, extra = {} }: Options) {
  const members = new Set<Member>()
  const lines: Line[] = []
  /** Failpoints for the next processes of a service, and variables for all of them. */
  const armed = new Map<ServiceName, string[]>()
  const settings: Partial<Record<ServiceName, NodeJS.ProcessEnv>> = {}
  const target = { ...wanted }
  const tails = new Set<Tail>()
  let numbers = 0
  let stopping = false

  const ticker = setInterval(() => {
    for (const tail of tails) tail.read()
  }, tailMs)

  async function start(service: ServiceName): Promise<Member> {
    const number = ++numbers
    const failpoint = armed.get(service)?.shift() ?? ''
    const logFile = join(logDir, `${String(number).padStart(4, '0')}-${service}.log`)
    const own = { FAILPOINT: failpoint, PROBE_PORT: '0', ...settings[service] }
    const owned = await startOwned({
      name: service,
      command: nodeBinary,
      args: [...heapLimits, mainOf(service)],
      env: { ...env, ...extra, ...own },
      logFile,
    })
    let generations = 0
    const member = { service, number, process: owned, armed: failpoint, generations: () => generations }
    members.add(member)
    const tail = createTail(logFile, (text) => {
      const line = parse(text, member)
      if (line.event === 'assigned') generations++
      lines.push(line)
    })
    tails.add(tail)
    void owned.exited.then(async ({ code, signal }) => {
      tail.read()
      tail.close()
      tails.delete(tail)
      members.delete(member)
      lines.push({ at: Date.now(), clockOffMs: 0, event: 'exited', member, code, signal })
      await sleep(restartPauseMs)
      if (!stopping && membersOf(service).length < target[service]) await start(service)
    })
    return member
  }

  const membersOf = (service: ServiceName) => [...members].filter((member) => member.service === service)

  return {
    lines,
    members: membersOf,
    /** Starts what was asked for. */
    async start(services: readonly ServiceName[] = serviceNames): Promise<void> {
      await Promise.all(services.flatMap((service) => Array.from({ length: target[service] }, () => start(service))))
    },
    /** The next process of the service that is started will have this failpoint; several are taken one after the other. */
    arm(service: ServiceName, failpoint: string): void {
      armed.set(service, [...(armed.get(service) ?? []), failpoint])
    },
    disarm: (service: ServiceName) => void armed.delete(service),
    /** Variables of every process of the service that is started from now on. */
    set(service: ServiceName, variables: NodeJS.ProcessEnv): void {
      settings[service] = variables
    },
    /** One more process; it is not started again when the number wanted is reached without it. */
    add: (service: ServiceName) => start(service),
    /** How many processes the service shall have; those too many are stopped in order. */
    async scale(service: ServiceName, count: number): Promise<void> {
      target[service] = count
      const running = membersOf(service)
      await Promise.all(running.slice(count).map(({ process }) => process.stop(stopGraceMs)))
      for (let missing = count - running.length; missing > 0; missing--) await start(service)
    },
    /** Waits for a line that comes, or came, at or after `since`. */
    until(what: string, since: number, accept: (line: Line) => boolean, timeoutMs = 60_000): Promise<Line> {
      let next = 0
      return waitFor(
        what,
        () => {
          for (; next < lines.length; next++) {
            const line = lines[next] as Line
            if (line.at >= since && accept(line)) return line
          }
          return undefined
        },
        { timeoutMs },
      )
    },
    /** As it was asked for at the start, whatever was done to it. */
    async restore(): Promise<void> {
      armed.clear()
      for (const service of serviceNames) delete settings[service]
      for (const { process } of members) process.kill('SIGCONT')
      for (const service of serviceNames) await this.scale(service, wanted[service])
    },
    count: (since: number, accept: (line: Line) => boolean) => lines.filter((line) => line.at >= since && accept(line)).length,
    async stop(): Promise<void> {
      stopping = true
      for (const service of serviceNames) {
        await Promise.all(
          membersOf(service).map(({ process }) => {
            process.kill('SIGCONT')
            return process.stop(stopGraceMs)
          }),
        )
      }
      clearInterval(ticker)
    },
  }
}

type Tail = { read: () => void; close: () => void }

/** Hands over each whole line once, as the file grows. */
function createTail(file: string, onLine: (text: string) => void): Tail {
  const fd = openSync(file, 'r')
  const buffer = Buffer.alloc(64 * 1024)
  let rest = ''
  return {
    read() {
      for (let bytes = readSync(fd, buffer); bytes > 0; bytes = readSync(fd, buffer)) {
        const [last, ...whole] = (rest + buffer.toString('latin1', 0, bytes)).split('\n').reverse()
        rest = last as string
        for (const line of whole.reverse()) onLine(line)
      }
    },
    close: () => closeSync(fd),
  }
}

function parse(text: string, member: Member): Line {
  const now = Date.now()
  try {
    const { time, at, ...fields } = JSON.parse(text) as { event: string; time?: string; at?: number }
    const said = at ?? Date.parse(time as string)
    const isOff = Math.abs(said - now) > clockSlackMs
    return { ...fields, at: isOff ? now : said, clockOffMs: isOff ? said - now : 0, member }
  } catch {
    return { at: now, clockOffMs: 0, event: 'output', reason: text.slice(0, 500), member }
  }
}
