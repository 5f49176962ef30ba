/**
 * Sends at an even rate, whether or not what was sent before is answered, over so many connections, one request at a time on each. A request
 * whose time has come while all connections wait stands in line, and its latency counts from its time, not from when it was sent: no
 * coordinated omission. Its own timer wakes once a millisecond, which adds up to 1 ms to a latency and takes nothing away.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { headersOf, requestBytes } from '../gateway/raw-http.ts'
import { waitFor } from '../support/wait-for.ts'
import { percentile } from './bench.ts'
import type { SignedText } from './notifications.ts'
import { answerParent } from './worker.ts'

export type EvenLoad = {
  url: string
  requests: SignedText[]
  /** Each answer has to contain this, or the whole measurement fails. */
  expected: string
  connections: number
  perSecond: number
  /** Sent and not counted. */
  warmUpSeconds: number
  seconds: number
}

export type Latencies = { answers: number; allAnswers: number; p50Ms: number; p99Ms: number; maxMs: number }

const answeredWithinMs = 60_000

type Connection = { socket: Socket; received: string; due: number }

answerParent(async (load: EvenLoad): Promise<Latencies> => {
  const { url, requests, expected, connections, perSecond, warmUpSeconds, seconds } = load
  const target = new URL(url)
  const bytes = requests.map(bytesOf)
  const idle: Connection[] = []
  /** Times, in milliseconds of `performance.now()`. */
  const line: number[] = []
  const latencies: number[] = []
  let problem: string | undefined
  let sent = 0
  let allAnswers = 0
  let countFrom = Number.POSITIVE_INFINITY

  const send = (connection: Connection, due: number) => {
    connection.due = due
    connection.received = ''
    connection.socket.write(bytes[sent++ % bytes.length] as Buffer)
  }
  const onData = (connection: Connection, text: string) => {
    connection.received += text
    if (!isWhole(connection.received)) return
    if (!connection.received.includes(expected)) problem ??= `An answer had no ${expected}: ${connection.received.slice(0, 500)}`
    allAnswers++
    if (connection.due >= countFrom) latencies.push(performance.now() - connection.due)
    const due = line.shift()
    if (due === undefined) idle.push(connection)
    else send(connection, due)
  }
  const open = async (): Promise<Connection> => {
    const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    await once(socket, 'connect')
    const connection = { socket, received: '', due: 0 }
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => onData(connection, text))
    socket.on('error', (error) => {
      problem ??= error.message
    })
    socket.on('close', () => {
      problem ??= 'The server closed a connection.'
    })
    return connection
  }
  idle.push(...(await Promise.all(Array.from({ length: connections }, open))))
  const opened = [...idle]

  const begin = performance.now()
  countFrom = begin + warmUpSeconds * 1_000
  const count = Math.round(perSecond * (warmUpSeconds + seconds))
  for (let scheduled = 0; scheduled < count && !problem; ) {
    const due = begin + (scheduled * 1_000) / perSecond
    if (due > performance.now()) {
      await sleep(1)
      continue
    }
    scheduled++
    const connection = idle.shift()
    if (connection) send(connection, due)
    else line.push(due)
  }
  await waitFor('the last answers', () => problem || allAnswers === count, { timeoutMs: answeredWithinMs })
  if (problem) throw new Error(problem)
  for (const { socket } of opened) socket.removeAllListeners('close').destroy()
  const sorted = latencies.sort((a, b) => a - b)
  return {
    answers: sorted.length,
    allAnswers,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  }
})

function bytesOf({ path, headers, body }: SignedText): Buffer {
  const request = { headers, body: Buffer.from(body) }
  return requestBytes({ target: path, headers: headersOf(request), body: request.body })
}

/** Head and body, by Content-Length. */
function isWhole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return false
  const [, length = 0] = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, end)) ?? []
  return received.length >= end + 4 + Number(length)
}
