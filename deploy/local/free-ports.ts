import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'

/** A port of 127.0.0.1 that is free at this moment, or undefined if `wanted` is taken; 0 asks for any. */
async function probePort(wanted: number): Promise<number | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
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
    const again = last !== undefined && !Object.values(ports).includes(last) ? await probePort(last) : undefined
    ports[name] = again ?? (await freePort(Object.values(ports)))
  }
  writeFileSync(file, `${JSON.stringify({ ...kept, ...ports }, null, 2)}\n`)
  return ports as Record<Name, number>
}

export async function freePort(except: number[] = []): Promise<number> {
  for (;;) {
    const port = await probePort(0)
    if (port !== undefined && !except.includes(port)) return port
  }
}

/** Below the ports that outgoing connections get, so that none takes it while its server is down and comes back. */
export async function freeServerPort(except: number[]): Promise<number> {
  for (;;) {
    const port = await probePort(randomInt(18_000, 32_000))
    if (port !== undefined && !except.includes(port)) return port
  }
}

function readPorts(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>
  } catch {
    return {}
  }
}
