/** The two ends of a proxied connection, for tests: a server that keeps what it hears, and a client that does. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Teardown } from '../../support/topic-set.ts'
import { listen } from './link.ts'

export type Heard = {
  socket: Socket
  text: () => string
  bytes: () => Buffer
  error: () => string | undefined
  closed: () => boolean
}

function hear(socket: Socket): Heard {
  const chunks: Buffer[] = []
  let error: string | undefined
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code))
  const bytes = () => Buffer.concat(chunks)
  return { socket, bytes, text: () => bytes().toString('latin1'), error: () => error, closed: () => socket.destroyed }
}

/** Its connections in the order in which they came. `greet` is what it says first. */
export async function startServer(t: Teardown, greet = ''): Promise<{ port: number; connections: Heard[] }> {
  const connections: Heard[] = []
  const { port, stop } = await listen(0, (socket) => {
    connections.push(hear(socket))
    socket.on('end', () => socket.end())
    if (greet) socket.write(greet)
  })
  t.teardown(async () => {
    for (const { socket } of connections) socket.destroy()
    await stop()
  })
  return { port, connections }
}

/** Connected, or already turned away again. */
export async function startClient(t: Teardown, port: number): Promise<Heard> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const client = hear(socket)
  t.teardown(() => void socket.destroy())
  await once(socket, 'connect').catch(() => {})
  return client
}
