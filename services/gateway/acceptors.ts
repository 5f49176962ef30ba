/**
 * More listening sockets on the port of a server, each with a queue of its own. libuv takes one connection per socket and turn of the event loop; at
 * full load a turn takes half a second, and with one socket two newcomers a second would get in.
 */
import cluster from 'node:cluster'
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'

const acceptors = 16
/** Linux shares connections out among sockets that ask for it. In one of several processes the first process accepts, and does little else. */
const canShare = process.platform === 'linux' && !cluster.isWorker

export type Acceptors = { port: number; servers: Server[] }

/** Opens them all. Rejects with the system's error; then none is open. */
export async function openAcceptors(http: HttpServer, host: string, port: number, backlog: number): Promise<Acceptors> {
  if (!canShare) return { port: await open(http, { host, port, backlog }), servers: [http] }
  // Sockets that share a port share it with whoever else asks to: is it ours alone?
  const probe = createServer()
  const free = await open(probe, { host, port })
  await new Promise((resolve) => probe.close(resolve))
  const more = Array.from({ length: acceptors - 1 }, () =>
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void http.emit('connection', socket)),
  )
  const servers = [http, ...more]
  try {
    for (const server of servers) await open(server, { host, port: free, backlog, reusePort: true })
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  return { port: free, servers }
}

async function open(
  server: Server,
  options: { host: string; port: number; backlog?: number; reusePort?: boolean },
): Promise<number> {
  server.listen(options)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
