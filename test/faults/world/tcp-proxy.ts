/** A TCP proxy on loopback for servers of any protocol: its port stays, what lies behind it and how well may change at any time. */
import { createLink, type Link, listen } from './link.ts'
import type { NetworkFault } from './pump.ts'

export type TcpProxy = {
  port: number
  /** From now on, for connections there are and to come; in place of the fault before. */
  inject: (fault: NetworkFault) => void
  heal: () => void
  /** Resets the connections there are; new ones are welcome. */
  reset: () => void
  /** Resets the connections there are; new ones go to this port of loopback: a failover. */
  retarget: (serverPort: number) => void
  connections: () => number
  stop: () => Promise<void>
}

export async function createTcpProxy({ serverPort, port = 0 }: { serverPort: number; port?: number }): Promise<TcpProxy> {
  const links = new Set<Link>()
  let target = serverPort
  let fault: NetworkFault | undefined
  const become = (next: NetworkFault | undefined) => {
    fault = next
    for (const link of links) link.apply()
  }
  const listener = await listen(port, (client) => {
    if (fault === 'cut' || fault === 'refuse') return client.resetAndDestroy()
    const link = createLink({
      client,
      serverPort: target,
      faultOf: () => fault,
      onRequest: (bytes) => void link.toServer.push(bytes),
      onAnswer: (bytes) => void link.toClient.push(bytes),
      onClosed: () => links.delete(link),
    })
    links.add(link)
    link.apply()
  })
  const reset = () => {
    for (const link of links) link.reset()
  }
  return {
    port: listener.port,
    inject: become,
    heal: () => become(undefined),
    reset,
    retarget(next) {
      target = next
      reset()
    },
    connections: () => [...links].filter((link) => link.isConnected()).length,
    async stop() {
      for (const link of links) link.destroy()
      await listener.stop()
    },
  }
}
