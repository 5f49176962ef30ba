import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { HttpAnswer } from '../simulator/http.ts'
import type { Kit, RawAnswer } from './case.ts'

/** A connection of its own for bytes that no HTTP client sends. Waits until the other side closes, at most `patienceMs`. */
export function createByteSender(target: URL, patienceMs: number): Kit['sendBytes'] {
  const secure = target.protocol === 'https:'
  const host = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port || (secure ? 443 : 80))
  return (chunks) =>
    new Promise<RawAnswer>((resolve, reject) => {
      const socket = secure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port })
      const received: Buffer[] = []
      let connected = false
      const end = (closed: boolean) => {
        clearTimeout(patience)
        socket.destroy()
        resolve({ text: Buffer.concat(received).toString('latin1'), closed })
      }
      const patience = setTimeout(() => end(false), patienceMs)
      socket.on('data', (chunk) => received.push(chunk))
      socket.on('close', () => end(true))
      // Being cut off in the middle is one of the answers that these requests are meant to get; not being let in is none.
      socket.on('error', (error) => {
        clearTimeout(patience)
        if (!connected) reject(error)
      })
      socket.once(secure ? 'secureConnect' : 'connect', async () => {
        connected = true
        for (const { bytes, pauseMs = 0 } of chunks) {
          if (socket.destroyed) return
          socket.write(bytes)
          await sleep(pauseMs)
        }
      })
    })
}

/** The answers in what came back. Status 0: closed without a word. Throws if the connection was neither answered nor closed. */
export function parseAnswers({ text, closed }: RawAnswer): HttpAnswer[] {
  const answers = text.split(/(?=HTTP\/1\.[01] \d{3})/).filter((part) => part.startsWith('HTTP/'))
  if (answers.length === 0 && !closed) throw new Error('neither answered nor closed')
  if (answers.length === 0) return [{ status: 0, headers: {}, body: '' }]
  return answers.map((part) => {
    const [head = '', ...body] = part.split('\r\n\r\n')
    const lines = head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(/:\s*(.*)/s))
    const headers = Object.fromEntries(lines.map(([name = '', value]) => [name.toLowerCase(), value]))
    return { status: Number(part.slice(9, 12)), headers, body: body.join('\r\n\r\n') }
  })
}
