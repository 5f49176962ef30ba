/** The pipeline's services as processes of this machine. */
import { join } from 'node:path'
import { freePort } from './free-ports.ts'
import { type OwnedProcess, startOwned, untilReady } from './owned-process.ts'
import { heapLimits, mainOf, nodeBinary } from './run-operator.ts'

/** In the order of the flow: they stop in it too, so that each can still hand on what the one before it left. */
export const serviceNames = ['gateway', 'normalizer', 'deduplicator', 'merchant-sync', 'token-states'] as const
export type ServiceName = (typeof serviceNames)[number]

export type Pipeline = { services: { name: ServiceName; pid: number }[]; stop: () => Promise<void> }

const readyTimeoutMs = 60_000
const stopGraceMs = 10_000
const shownLogLines = 12

/** The key files of `operator keys make`, by the variables that name them; the environment may name others. */
export const keyFiles = (keysDir: string): Record<string, string> => ({
  ACCOUNTS_FILE: join(keysDir, 'accounts.yaml'),
  RAW_PUBLIC_KEYS_FILE: join(keysDir, 'raw.public.json'),
  RAW_PRIVATE_KEYS_FILE: join(keysDir, 'raw.private.json'),
  CREDENTIAL_KEYS_FILE: join(keysDir, 'credentials.json'),
  IDENTITY_KEY_FILE: join(keysDir, 'identity.json'),
})

/** Starts all services and waits until each says that it is ready. Throws with the name and last words of one that does not come up. */
export async function startPipeline(options: {
  env: NodeJS.ProcessEnv
  logDir: string
  onDeath: (reason: string) => void
}): Promise<Pipeline> {
  const { env, logDir, onDeath } = options
  const running: OwnedProcess[] = []
  let stopping = false
  const stop = async () => {
    stopping = true
    for (const service of running) await service.stop(stopGraceMs)
  }
  try {
    const ports = new Map<ServiceName, number>()
    for (const name of serviceNames) ports.set(name, await freePort())
    for (const name of serviceNames) {
      const logFile = join(logDir, `${name}.log`)
      const withProbes = { ...env, PROBE_HOST: '127.0.0.1', PROBE_PORT: String(ports.get(name)) }
      running.push(await startOwned({ name, command: nodeBinary, args: [...heapLimits, mainOf(name)], env: withProbes, logFile }))
    }
    await Promise.all(running.map((service) => untilServiceReady(service, ports.get(service.name as ServiceName) as number)))
  } catch (error) {
    await stop()
    throw error
  }
  for (const service of running) {
    void service.exited.then(({ code, signal }) => {
      if (!stopping) onDeath(lastWords(service, `ended unexpectedly with ${signal ?? `exit code ${code}`}`))
    })
  }
  return { services: running.map(({ name, pid }) => ({ name: name as ServiceName, pid })), stop }
}

async function untilServiceReady(service: OwnedProcess, probePort: number): Promise<void> {
  const isReady = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${probePort}/readyz`)).ok
    } catch {
      return false
    }
  }
  await untilReady(service, isReady, { timeoutMs: readyTimeoutMs, explain: (why) => lastWords(service, why) })
}

/** The reason it logged, if it had time to, and the end of its log. */
function lastWords(service: OwnedProcess, why: string): string {
  const lines = service.output().trimEnd().split('\n')
  const reason = lines.map(reasonIn).findLast((text) => text !== undefined)
  const sentence = `${service.name} ${why}${reason ? `: ${reason}` : '.'}`
  return [sentence, `The end of ${service.logFile}:`, ...lines.slice(-shownLogLines).map((line) => `  ${line}`)].join('\n')
}

function reasonIn(line: string): string | undefined {
  try {
    const { level, reason } = JSON.parse(line) as { level?: string; reason?: string }
    return level === 'error' ? reason : undefined
  } catch {
    return undefined
  }
}
