/** Sends as fast as it is answered, over so many connections, one request at a time on each: autocannon. */

import { setTimeout as sleep } from 'node:timers/promises'
import autocannon from 'autocannon'
import { waitFor } from '../support/wait-for.ts'
import { percentile } from './bench.ts'
import type { SignedText } from './notifications.ts'
import { cpuUs } from './process-cost.ts'
import { answerParent } from './worker.ts'

export type Load = {
  url: string
  /** The process that answers: its CPU time is taken over the very time in which its answers are counted. */
  pid: number
  method: 'GET' | 'POST'
  requests: SignedText[]
  /** Each answer has to contain this, or the whole measurement fails. */
  expected: string
  connections: number
  /**
   * Requests a second of all connections. autocannon sends each connection's share of a second as fast as it is answered and then waits for
   * the next second, so this is a burst at full speed once a second and no even rate (`even-load-worker.ts`).
   */
  perSecond?: number
  /** Measured is what follows, once each connection has been answered. */
  warmUpSeconds: number
  seconds: number
}

export type Answered = {
  /** Within the time measured, and from the first to the last. */
  answers: number
  allAnswers: number
  seconds: number
  cpuUs: number
  p50Ms: number
  p99Ms: number
}

/** autocannon builds each request's bytes once per connection, so of a few dozen each connection has some, and together all. */
const perConnection = 8
const answeredWithinSeconds = 60
/**
 * libuv takes one new connection each turn of its event loop, so a server that 500 connections keep busy takes a minute for 500 more. So each sends
 * one request and is held until all have been answered. autocannon has nothing for it: these are its client's own fields, a share of one request a
 * second that is used up.
 */
type Held = { rate: number | undefined; reqsMadeThisSecond: number; _doRequest: () => void }

answerParent(async (load: Load): Promise<Answered> => {
  const { url, pid, method, requests, expected, connections, perSecond, warmUpSeconds, seconds } = load
  const ownCount = Math.max(perConnection, Math.ceil(requests.length / connections))
  const clients: Held[] = []
  let firstWrong: string | undefined
  const finished = Promise.withResolvers<autocannon.Result>()
  const options: autocannon.Options = {
    url,
    connections,
    // Until it is stopped, and that without waiting for the end of a second.
    duration: 3_600,
    sampleInt: 100,
    timeout: answeredWithinSeconds,
    // No correction for coordinated omission: it takes 1 ms for the interval between two requests, whatever the rate.
    ...(perSecond === undefined ? {} : { overallRate: perSecond, ignoreCoordinatedOmission: true }),
    setupClient(client) {
      const first = clients.push(client as unknown as Held) * ownCount
      // Each connection begins elsewhere: in step, all would send the same notification, which is one partition's.
      const own = Array.from({ length: ownCount }, (_, at) => requests[(first + at) % requests.length] as SignedText)
      client.setRequests(own.map(({ path, headers, body }) => ({ method, path, headers, body })))
    },
    verifyBody(body) {
      const isRight = String(body).includes(expected)
      if (!isRight) firstWrong ??= String(body).slice(0, 200)
      return isRight
    },
  }
  const run = autocannon(options, (error, result) => (error ? finished.reject(error) : finished.resolve(result)))
  // Connected in the next turn of the event loop; the first request is on its way then.
  const held = perSecond === undefined ? clients : []
  for (const client of held) Object.assign(client, { rate: 1, reqsMadeThisSecond: 1 })
  const answered = new Set<object>()
  let latencies: number[] | undefined
  let allAnswers = 0
  run.on('response', (client, _status, _bytes, ms) => {
    allAnswers++
    if (latencies) latencies.push(ms)
    else answered.add(client)
  })
  await waitFor(`an answer on each of ${connections} connections`, () => answered.size === connections || firstWrong, {
    timeoutMs: answeredWithinSeconds * 1_000,
  })
  for (const client of held) {
    client.rate = undefined
    client._doRequest()
  }
  await sleep(warmUpSeconds * 1_000)
  const counted: number[] = []
  const [begin, cpuBefore] = [performance.now(), cpuUs(pid)]
  latencies = counted
  await sleep(seconds * 1_000)
  const [end, cpuAfter, answers] = [performance.now(), cpuUs(pid), counted.length]
  run.stop()
  const { mismatches, errors } = await finished.promise
  if (mismatches > 0) throw new Error(`${mismatches} of ${allAnswers} answers had no ${expected}, such as ${firstWrong}`)
  if (errors > 0)
    throw new Error(
      `${errors} requests failed or had no answer for ${answeredWithinSeconds} s, beside ${allAnswers} that were answered`,
    )
  const sorted = counted.slice(0, answers).sort((a, b) => a - b)
  return {
    answers,
    allAnswers,
    seconds: (end - begin) / 1_000,
    cpuUs: cpuAfter - cpuBefore,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  }
})
