/** A client's connection to a proxy, and the proxy's own one to the server, tied together by two pumps. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createPump, type NetworkFault, type Pump } from './pump.ts'

export type Link = {
  toServer: Pump
  toClient: Pump
  /** A fault begins or ends. */
  apply: () => void
  /** Resets the client's side, at once. */
  reset: () => void
  /** False once its client is gone; the server's side may stay open. */
  isConnected: () => boolean
  /** Until the returned function is called, the server's side stays open even if the client hangs up. */
  keepOpen: () => () => void
  /** Ends both sides, whatever is under way. */
  destroy: () => void
}

type Options = {
  client: Socket
  serverPort: number
  faultOf: () => NetworkFault | undefined
  onRequest: (bytes: Buffer) => void
  onAnswer: (bytes: Buffer) => void
  onClosed: () => void
}

/** The link answers to `faultOf` from the beginning; whether it may exist at all under `cut` and `refuse` is for its proxy to say. */
export function createLink({ client, serverPort, faultOf, onRequest, onAnswer, onClosed }: Options): Link {
  const server = connect({ host: '127.0.0.1', port: serverPort, noDelay: true, allowHalfOpen: true })
  // Nobody listens there: the client is refused, as it would be without the proxy.
  const onRefused = () => void client.resetAndDestroy()
  server.once('error', onRefused)
  server.once('connect', () => server.off('error', onRefused))
  client.setNoDelay(true)
  let dead = false
  const current = () => {
    dead ||= faultOf() === 'half-open'
    return dead ? 'half-open' : faultOf()
  }
  const toServer = createPump(server, current)
  const toClient = createPump(client, current)
  let clientGone = false
  let reasonsToStay = 0

  const leave = () => {
    if (clientGone && reasonsToStay === 0) toServer.end()
  }
  const link: Link = {
    toServer,
    toClient,
    apply() {
      if (current() === 'cut') link.reset()
      toServer.wake()
      toClient.wake()
    },
    reset: () => void client.resetAndDestroy(),
    isConnected: () => !client.destroyed,
    keepOpen() {
      reasonsToStay++
      return () => {
        reasonsToStay--
        leave()
      }
    },
    destroy() {
      client.destroy()
      server.destroy()
    },
  }
  // Errors are followed by `close`, and that is all a proxy needs to know.
  for (const socket of [client, server]) socket.on('error', () => {})
  client.on('data', (bytes) => current() === 'half-open' || onRequest(bytes))
  server.on('data', (bytes) => current() === 'half-open' || onAnswer(bytes))
  // An end is answered with an end, but not by the sockets themselves: who hears nothing does not hear that either.
  for (const event of ['end', 'close'])
    client.on(event, () => {
      clientGone = true
      leave()
      toClient.end()
      if (client.destroyed && server.destroyed) onClosed()
    })
  for (const event of ['end', 'close'])
    server.on(event, () => {
      toClient.end()
      toServer.end()
      if (client.destroyed && server.destroyed) onClosed()
    })
  return link
}

export type Listener = { port: number; stop: () => Promise<void> }

/** Listens on loopback; port 0 is any free one. */
export async function listen(port: number, onClient: (client: Socket) => void): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true }, onClient)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close()
      await once(server, 'close')
    },
  }
}
