import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { collectDefaultMetrics, type Registry, register } from 'prom-client'
import { createLog, describeError, type Log } from './log.ts'

/** What a running service hands back: how to stop it in order, and whether it is ready for work. */
export type Running = {
  stop: () => Promise<void>
  ready: () => boolean
  /** What /metrics shows, where it is not this process's own registry. */
  metrics?: () => Promise<string>
}
export type ServiceContext = {
  log: Log
  /** What /metrics shows. */
  metrics: Registry
  /** Ends the process with exit code 1 and this reason: for what no retry can mend. Supervisors restart it. */
  fail: (error: Error) => void
}
type ProbeEnv = { LOG_LEVEL: string; PROBE_HOST: string; PROBE_PORT: number }

const graceMs = 25_000

/**
 * The frame of every service's `main.ts`: configuration problems are one clear message and exit code 1; SIGTERM and SIGINT stop in
 * order (what is in flight is finished); a failure logs its reason and exits 1; `/livez`, `/readyz`, `/metrics` answer meanwhile.
 */
export async function runService<E extends ProbeEnv>(
  name: string,
  readConfig: () => E,
  start: (env: E, context: ServiceContext) => Promise<Running>,
): Promise<void> {
  let env: E
  try {
    env = readConfig()
  } catch (error) {
    process.stderr.write(`${name}: ${describeError(error)}\n`)
    process.exit(1)
  }
  const log = createLog(name, env.LOG_LEVEL)
  let running: Running | undefined
  let failure: Error | undefined
  const probes = serveProbes(env, () => running)

  const closer = closeWithGrace({ delay: graceMs, logger: false }, async ({ err, signal }) => {
    failure ??= err
    if (failure) log.error('failed', { reason: describeError(failure) })
    const stopping = running
    running = undefined
    await stopping?.stop().catch((error) => log.error('stop-failed', { error }))
    probes.close()
    log.info('stopped', { signal })
    if (failure) process.exit(1)
  })
  const fail = (error: Error) => {
    failure ??= error
    closer.close()
  }
  try {
    running = await start(env, { log, fail, metrics: register })
    log.info('started', { pid: process.pid })
  } catch (error) {
    fail(error as Error)
  }
}

function serveProbes(env: ProbeEnv, running: () => Running | undefined) {
  collectDefaultMetrics()
  const ready = () => running()?.ready() ?? false
  const server = createServer(async (request, response) => {
    if (request.url === '/livez') return void response.end('ok\n')
    if (request.url === '/readyz') return void response.writeHead(ready() ? 200 : 503).end(ready() ? 'ready\n' : 'not ready\n')
    if (request.url === '/metrics')
      return void response.setHeader('content-type', register.contentType).end(await (running()?.metrics ?? metricsOfThis)())
    response.writeHead(404).end('Not here. Try /livez, /readyz, /metrics\n')
  })
  server.on('error', (error) => {
    process.stderr.write(`PROBE_PORT ${env.PROBE_PORT}: ${describeError(error)}\n`)
    process.exit(1)
  })
  server.listen(env.PROBE_PORT, env.PROBE_HOST)
  return { close: () => server.close(), port: () => (server.address() as AddressInfo).port }
}

const metricsOfThis = () => register.metrics()
