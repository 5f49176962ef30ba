import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Whether this port of 127.0.0.1 is free at this moment. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => {
      server.close(() => resolve(true))
    })
  })
}

/**
 * A free loopback port for each name: the same as last time where they are still free (so that tools and saved commands go on
 * working), remembered in `file`.
 */
export async function keepPorts<Name extends string>(file: string, names: readonly Name[]): Promise<Record<Name, number>> {
  const kept = readPorts(file)
  const ports: Record<string, number> = {}
  for (const name of names) {
    const last = kept[name]
    const again = last !== undefined && !Object.values(ports).includes(last) && (await isFree(last))
    ports[name] = again ? last : await freePort()
  }
  writeFileSync(file, `${JSON.stringify({ ...kept, ...ports }, null, 2)}\n`)
  return ports as Record<Name, number>
}

const given = new Set<number>()

/**
 * Never the same twice in a process, and below the ports that outgoing connections and listeners on port 0 get: none of them takes it before its
 * server starts, or while that is down and comes back.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(18_000, 32_000)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

function readPorts(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>
  } catch {
    return {}
  }
}
