/** HTTP spoken byte by byte, for what no HTTP client would send. */
import { connect, type Socket } from 'node:net'

export type RawReply = { status: number; headers: Record<string, string>; body: string }

/** Connects, lets the caller write, and resolves with every whole answer once the server closes or `answers` have come. */
export async function speak(
  port: number,
  write: (socket: Socket) => void,
  { answers = Number.POSITIVE_INFINITY, localAddress = '127.0.0.1' } = {},
): Promise<{ replies: RawReply[]; closed: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  let received = ''
  return new Promise((resolve) => {
    let closed = false
    const finish = () => resolve({ replies: parseReplies(received), closed })
    socket.setEncoding('latin1')
    socket.on('connect', () => write(socket))
    socket.on('data', (chunk) => {
      received += chunk
      if (parseReplies(received).length < answers) return
      finish()
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      closed = true
      finish()
    })
  })
}

function parseReplies(text: string): RawReply[] {
  const replies: RawReply[] = []
  for (let rest = text; ; ) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0 || !rest.startsWith('HTTP/')) return replies
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => line.split(/: ?(.*)/, 2).map((part, at) => (at ? part : part.toLowerCase()))),
    )
    const length = Number(headers['content-length'] ?? 0)
    const body = rest.slice(end + 4, end + 4 + length)
    if (body.length < length) return replies
    replies.push({ status: Number(statusLine.split(' ')[1]), headers, body })
    rest = rest.slice(end + 4 + length)
  }
}

type Raw = { method?: string; target: string; headers: readonly (readonly [string, string])[]; body?: Buffer; version?: string }

/** A request's bytes exactly as given: header names, order, repeats and all. */
export function requestBytes({ method = 'POST', target, headers, body = Buffer.alloc(0), version = 'HTTP/1.1' }: Raw): Buffer {
  const head = [`${method} ${target} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`)].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), body])
}

/** Headers of a signed request with Host and Content-Length, ready to be bent. */
export function headersOf(request: { headers: Record<string, string>; body: Buffer }): [string, string][] {
  return [['Host', 'gateway'], ...Object.entries(request.headers), ['Content-Length', String(request.body.length)]]
}

/** Sends one raw request and waits for one answer (or the end of the connection). */
export async function sendRaw(port: number, bytes: Buffer): Promise<{ reply: RawReply | undefined; closed: boolean }> {
  const { replies, closed } = await speak(port, (socket) => socket.write(bytes), { answers: 1 })
  return { reply: replies[0], closed }
}
