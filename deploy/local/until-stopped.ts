/** Thrown out of `unlessStopped` when Ctrl-C, SIGTERM or the like came first. */
export class StopRequested extends Error {}

export type Stopping = {
  /** Resolves when this process is to stop; rejects, with one sentence, when something that it needs has failed. */
  stopped: Promise<void>
  /** The work's result, unless the stop comes first. */
  unlessStopped: <T>(work: Promise<T>) => Promise<T>
  fail: (reason: string) => void
}

/**
 * Listens for Ctrl-C, SIGTERM, a closed terminal, and for the end of the process that started this one. A second signal is no order
 * to hurry: npm and the terminal both send one for a single Ctrl-C.
 */
export function untilStopped(): Stopping {
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  stopped.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid !== parent) resolve()
  }, 500)
  watch.unref()
  const stop = stopped.then(() => {
    throw new StopRequested('Stopped before the end.')
  })
  stop.catch(() => {})
  return {
    stopped,
    unlessStopped: (work) => Promise.race([work, stop]),
    fail: (reason) => reject(new Error(reason)),
  }
}
