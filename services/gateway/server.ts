import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { openAcceptors } from './acceptors.ts'
import type { Suspects } from './suspects.ts'

export type ServerLimits = {
  headersTimeoutMs: number
  requestTimeoutMs: number
  keepAliveTimeoutMs: number
  maxConnections: number
  maxConnectionsPerAddress: number
}

type Options = ServerLimits & {
  isTrustedProxy: (address: string) => boolean
  suspects: Suspects
  onCut?: (reason: string) => void
  onConnections?: (open: number) => void
}

const lastMomentMs = 2_000
/** Connections that the kernel holds for us; when it is full, honest senders' first packets are dropped, too. */
const acceptQueue = 2_048
const maxHeaderBytes = 16 * 1024
/** Names and values, so 64 headers. Above Node's own limit it would drop headers silently, a second signature among them. */
const maxRawHeaders = 128

/** What Node's parser and clock complain about; all else is 400. */
const statusByCode: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/**
 * An HTTP/1.1 server for the open internet, TLS ended before it. Slow senders are timed out, in headers and body; when connections run out,
 * the one that has kept us waiting longest goes, so holding sockets open shuts nobody else out. What no honest sender of one notification
 * at a time does is refused with 4xx and the connection closed: HTTP/1.0 and 2, pipelining, header floods.
 */
export function createGatewayServer(handle: RequestListener, options: Options) {
  const {
    isTrustedProxy,
    suspects,
    onCut = () => {},
    onConnections = () => {},
    maxConnections,
    maxConnectionsPerAddress,
  } = options
  /** Connections that wait for their sender, not for us; the longest first. */
  const waiting = new Set<Socket>()
  const inHand = new Map<Socket, { request: IncomingMessage; response: ServerResponse; followed: boolean }>()
  const byAddress = new Map<string, number>()
  const listening: Server[] = []
  let open = 0
  let draining = false

  const server = createServer({
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, options.headersTimeoutMs),
    maxHeaderSize: maxHeaderBytes,
  })
  server.maxHeadersCount = 0

  function cut(socket: Socket, reason: string): void {
    onCut(reason)
    socket.destroy()
  }

  /** Notes who sent this; if the process is overloaded by such, closes what else waits from there. */
  function suspect(socket: Socket): void {
    const address = socket.remoteAddress
    if (address === undefined || isTrustedProxy(address)) return
    suspects.add(address)
    while (suspects.overloaded() && closeLongestWaiting(address, 'overload'));
  }

  /** Closes the connection that has waited longest, of this address if one is given; false if there is none. */
  function closeLongestWaiting(address?: string, reason = 'too-many'): boolean {
    for (const socket of waiting) {
      if (address !== undefined && socket.remoteAddress !== address) continue
      waiting.delete(socket)
      cut(socket, reason)
      return true
    }
    return false
  }

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    if (suspects.has(address) && suspects.overloaded()) return cut(socket, 'overload')
    const sameAddress = byAddress.get(address) ?? 0
    const crowded = sameAddress >= maxConnectionsPerAddress && !isTrustedProxy(address)
    if (crowded && !closeLongestWaiting(address)) return cut(socket, 'too-many')
    if (open >= maxConnections && !crowded && !closeLongestWaiting()) return cut(socket, 'too-many')
    byAddress.set(address, sameAddress + 1)
    onConnections(++open)
    waiting.add(socket)
    socket.once('close', () => {
      const rest = (byAddress.get(address) ?? 1) - 1
      if (rest > 0) byAddress.set(address, rest)
      else byAddress.delete(address)
      onConnections(--open)
      waiting.delete(socket)
    })
  })

  server.on('request', (request, response) => {
    const { socket } = request
    // Node goes on parsing what it has read when the connection is already gone.
    if (socket.destroyed) return
    const refuse = (status: number, headers: Record<string, string> = {}) => {
      onCut(String(status))
      suspect(socket)
      response.writeHead(status, { ...headers, 'Content-Length': '0', Connection: 'close' }).end()
    }
    if (request.httpVersion !== '1.1') return refuse(426, { Upgrade: 'HTTP/1.1' })
    if (request.rawHeaders.length > maxRawHeaders) return refuse(431)
    const current = inHand.get(socket)
    if (current?.followed) return cut(socket, 'pipeline')
    if (current) {
      // The answer before it is not yet sent; Node puts this one behind it. One is enough: objects for a whole pipeline fill the memory.
      current.followed = true
      return refuse(400)
    }
    inHand.set(socket, { request, response, followed: false })
    request.once('end', () => waiting.delete(socket))
    request.once('aborted', () => suspect(socket))
    response.once('close', () => {
      inHand.delete(socket)
      waiting.delete(socket)
      if (!socket.destroyed) waiting.add(socket)
    })
    if (draining) response.shouldKeepAlive = false
    handle(request, response)
  })

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const current = inHand.get(socket as Socket)
    const status = statusByCode[error.code ?? ''] ?? '400 Bad Request'
    onCut(status.slice(0, 3))
    // A connection that merely broke has this event, too, and says nothing about its sender.
    if (error.code?.startsWith('HPE_') || error.code === 'ERR_HTTP_REQUEST_TIMEOUT') suspect(socket as Socket)
    // A word now would be taken for the answer to the request in hand, unless it is that request's own body that went wrong.
    const mayAnswer = !current || (!current.request.complete && !current.response.headersSent)
    if (!socket.writable || !mayAnswer) return void socket.destroy()
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () => socket.destroy())
  })

  return {
    server,
    /** Resolves to the port. Rejects with one sentence. */
    async listen(host: string, port: number): Promise<number> {
      try {
        const opened = await openAcceptors(server, host, port, acceptQueue)
        listening.push(...opened.servers)
        return opened.port
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        const why = code === 'EADDRINUSE' ? 'is in use by another process' : `cannot be opened (${code})`
        throw new Error(`GATEWAY_PORT ${port} on ${host} ${why}.`)
      }
    },
    /** Takes no more connections; resolves when all are closed. Who is still sending has a moment, who waits for us gets the answer. */
    async drain(): Promise<void> {
      draining = true
      const closed = Promise.all(listening.map((each) => new Promise((resolve) => each.close(resolve))))
      for (const { response } of inHand.values()) response.shouldKeepAlive = false
      const hurry = setTimeout(() => waiting.forEach((socket) => void socket.destroy()), lastMomentMs)
      await closed
      clearTimeout(hurry)
    },
  }
}
