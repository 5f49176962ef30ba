/**
 * Several processes behind one port: the first one takes connections and hands them out in turn, starts a new process for one that ended, and passes
 * signals on. Limits of connections, bytes and rates hold in each process.
 */
import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { AggregatorRegistry } from 'prom-client'
import type { Running, ServiceContext } from '../../shared/runtime/service.ts'

const restartPauseMs = 1_000
const reportMs = 500

type Report = { ready: boolean }

/** Starts the processes. Resolves when all take requests; rejects when one ends before it does. */
export async function startProcesses(count: number, { log, fail }: Pick<ServiceContext, 'log' | 'fail'>): Promise<Running> {
  const readiness = new Map<Worker, boolean>()
  const aggregated = new AggregatorRegistry()
  let stopping = false

  function fork(): Promise<void> {
    // Probes are answered here: theirs would meet ours on one port.
    const worker = cluster.fork({ PROBE_PORT: '0' })
    readiness.set(worker, false)
    return new Promise((resolve, reject) => {
      // Its first report says that it has started; `listening` comes even where the port is taken.
      let started = false
      worker.on('message', ({ ready }: Partial<Report>) => {
        if (ready === undefined) return
        readiness.set(worker, ready)
        started = true
        resolve()
      })
      worker.once('exit', (code, signal) => {
        readiness.delete(worker)
        const why = new Error(`A gateway process (pid ${worker.process.pid}) ended with ${signal ?? `exit code ${code}`}`)
        reject(why)
        if (stopping || !started) return
        log.error('process-ended', { pid: worker.process.pid, reason: why.message })
        void sleep(restartPauseMs).then(() => {
          if (!stopping) fork().catch(fail)
        })
      })
    })
  }

  const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  async function stop(): Promise<void> {
    stopping = true
    const exits = workers().map((worker) => new Promise((resolve) => worker.once('exit', resolve)))
    for (const worker of workers()) worker.process.kill('SIGTERM')
    await Promise.all(exits)
  }
  try {
    await Promise.all(Array.from({ length: count }, fork))
  } catch (error) {
    await stop()
    throw error
  }
  process.removeAllListeners('SIGHUP')
  process.on('SIGHUP', () => {
    for (const worker of workers()) worker.process.kill('SIGHUP')
  })
  log.info('processes-started', { count })
  return {
    ready: () => !stopping && readiness.size === count && [...readiness.values()].every(Boolean),
    metrics: () => aggregated.clusterMetrics(),
    stop,
  }
}

/** In one of several processes: tells the first whether this one is ready, and its metrics when asked. */
export function reportToFirst({ ready, stop }: Running): Running {
  new AggregatorRegistry()
  // Without the first one this one ends: node:cluster sees to it, and a report that cannot be sent is no failure.
  const report = () => void process.send?.({ ready: ready() } satisfies Report, () => {})
  report()
  const timer = setInterval(report, reportMs)
  return {
    ready,
    async stop() {
      clearInterval(timer)
      await stop()
    },
  }
}
