import { hostname, userInfo } from 'node:os'

/** What a command touches of the world around it. Tests hand in their own; `main.ts` hands in the process. */
export type Terminal = {
  out: (text: string) => void
  err: (text: string) => void
  /** Where progress may be drawn; undefined when standard error is not a terminal. */
  screen: NodeJS.WriteStream | undefined
  input: () => Promise<string>
  env: NodeJS.ProcessEnv
  now: () => number
  /** user@host, for the audit trail. */
  who: string
  /** The command line as it was given, without the program. */
  args: string[]
  /** A long command asks for this: it is aborted by SIGTERM or SIGINT, which from then on end the process only the second time. */
  stopSignal: () => AbortSignal
}

/** 0: done, and all is well. 1: failed, or what was asked for is not so. 2: the command line or the environment is wrong. */
export const exitCode = { ok: 0, failed: 1, usage: 2 } as const

/** The process as a terminal. */
export function processTerminal(process: NodeJS.Process): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    screen: process.stderr.isTTY ? process.stderr : undefined,
    input: async () => Buffer.concat(await process.stdin.toArray()).toString('utf8'),
    env: process.env,
    now: Date.now,
    who: `${userInfo().username}@${hostname()}`,
    args: process.argv.slice(2),
    stopSignal() {
      const stop = new AbortController()
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
      return stop.signal
    },
  }
}
