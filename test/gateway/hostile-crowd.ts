/** The crowd of `hostile-load.ts`, in a process of its own: each attack holds or repeats what it does until it is told to end. */
import { connect, type Socket } from 'node:net'
import { alipayPlusPath, alipayPlusRequest } from './gateway-under-test.ts'
import { headersOf, requestBytes } from './raw-http.ts'
import { keyPair } from './signing.ts'

const crowd = 2_000
/** Below the gateway's limit per address, so that it is not that limit alone that saves it. */
const addresses = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4', '127.0.1.5']

const forged = (body = Buffer.from('{"forged":true}')) => {
  const request = alipayPlusRequest({ pair: keyPair('forger'), body })
  return requestBytes({ target: request.path, headers: headersOf(request), body: request.body })
}
const unfinished = requestBytes({
  target: alipayPlusPath,
  headers: [
    ['Host', 'g'],
    ['Content-Type', 'application/json'],
    ['Content-Length', '65536'],
  ],
  body: Buffer.alloc(65_000, 0x20),
})
const tinyChunks = Buffer.concat([
  requestBytes({
    target: alipayPlusPath,
    headers: [
      ['Host', 'g'],
      ['Transfer-Encoding', 'chunked'],
    ],
  }),
  Buffer.from('1\r\n \r\n'.repeat(65_000)),
])
const pipeline = Buffer.from('GET / HTTP/1.1\r\nHost:g\r\n\r\n'.repeat(2_400))
const garbage = Buffer.from('\u0016\u0003\u0001\u0002\u0000garbage\r\n\r\n', 'latin1')
const large = requestBytes({
  target: alipayPlusPath,
  headers: [
    ['Host', 'g'],
    ['Content-Length', '1000000'],
  ],
  body: Buffer.alloc(1_000_000),
})

type Attack = { connections: number; first?: Buffer; again?: (socket: Socket) => void; everyMs?: number }

const attacks: Record<string, Attack> = {
  'sockets held open': { connections: crowd },
  'headers, a byte a second': {
    connections: crowd,
    first: Buffer.from('POST / HTTP/1.1\r\nX-Slow: '),
    again: (s) => s.write('x'),
    everyMs: 1_000,
  },
  'bodies that never end': { connections: crowd, first: unfinished },
  'bodies in chunks of a byte': { connections: crowd, first: tinyChunks },
  'forged signatures, as fast as answered': { connections: 200, first: forged(), again: (s) => s.write(forged()) },
  'forged bodies of 64 KiB': {
    connections: 200,
    first: forged(Buffer.alloc(65_000, 0x20)),
    again: (s) => s.write(forged(Buffer.alloc(65_000, 0x20))),
  },
  'bodies of a megabyte': { connections: 200, first: large },
  'what is no HTTP': { connections: crowd, first: garbage },
  'requests in pipelines': { connections: crowd, first: pipeline },
}
export const attackNames = Object.keys(attacks)

/** Keeps `connections` going: who is cut off comes back. Returns what ends it, which tells how many connections were made. */
function start(port: number, { connections, first, again, everyMs }: Attack): () => number {
  const open = new Set<Socket>()
  let made = 0
  let ending = false
  const join = () => {
    if (ending) return
    const socket = connect({ port, host: '127.0.0.1', localAddress: addresses[made++ % addresses.length] as string })
    open.add(socket)
    socket.on('connect', () => first && socket.write(first))
    socket.on('data', () => everyMs === undefined && again?.(socket))
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      setTimeout(join, 50)
    })
  }
  for (let n = 0; n < connections; n++) join()
  const timer = setInterval(() => {
    if (everyMs !== undefined) for (const socket of open) again?.(socket)
  }, everyMs ?? 60_000)
  return () => {
    ending = true
    clearInterval(timer)
    for (const socket of open) socket.destroy()
    return made
  }
}

if (process.argv[2] === 'crowd') {
  let end = (): number => 0
  process.on('message', ({ port, attack }: { port: number; attack?: string }) => {
    const made = end()
    end = () => 0
    if (attack) end = start(port, attacks[attack] as Attack)
    process.send?.({ made })
  })
}
