/** The load generators themselves: what they count, and what they refuse to count. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Answered, Load } from './closed-loop-worker.ts'
import type { EvenLoad, Latencies } from './even-load-worker.ts'
import { inWorker } from './worker.ts'

const requests = [{ path: '/', headers: {}, body: 'knock' }]

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('even load: a server that stalls makes all wait that were due meanwhile, not only those on its connections', async (t) => {
  let stall: Promise<unknown> = Promise.resolve()
  let received = 0
  const url = await serve(t, async (request, response) => {
    if (++received === 300) stall = sleep(400)
    request.resume()
    await stall
    response.end('"ok"')
  })
  const load: EvenLoad = { url, requests, expected: 'ok', connections: 4, perSecond: 1_000, warmUpSeconds: 0, seconds: 1 }
  const { answers, p50Ms, p99Ms, maxMs } = await inWorker<Latencies>('even-load-worker.ts', load)
  t.equal(answers, 1_000, 'as many as were due')
  t.equal(received, 1_000)
  t.ok(p99Ms >= 350, `p99 ${p99Ms} ms: some 400 requests waited, though only 4 were sent`)
  t.ok(maxMs >= p99Ms && p99Ms >= p50Ms)
})

t.test('closed loop: counts what was answered in its time', async (t) => {
  let answered = 0
  const url = await serve(t, (_, response) => void response.end('"ok"', () => answered++))
  const load: Load = {
    ...{ url, pid: process.pid, method: 'POST', requests, expected: 'ok', connections: 4 },
    ...{ warmUpSeconds: 0.1, seconds: 0.3 },
  }
  const { answers, allAnswers, seconds, cpuUs, p50Ms, p99Ms } = await inWorker<Answered>('closed-loop-worker.ts', load)
  t.ok(answers > 0 && answers < allAnswers && allAnswers <= answered, `${answers} of ${allAnswers} of ${answered}`)
  t.ok(seconds >= 0.29 && cpuUs > 0 && p50Ms > 0 && p99Ms >= p50Ms)
})

t.test('an answer that is none fails the measurement', async (t) => {
  let received = 0
  const url = await serve(t, (_, response) => void response.end(++received === 50 ? '"no"' : '"ok"'))
  const load = { url, requests, expected: 'ok', connections: 4, perSecond: 500, warmUpSeconds: 0.1, seconds: 0.3 }
  await t.rejects(inWorker('even-load-worker.ts', load satisfies EvenLoad))
  received = 0
  await t.rejects(inWorker('closed-loop-worker.ts', { ...load, method: 'POST', pid: process.pid } satisfies Load))
})
