/** How many notifications a second one gateway process keeps and acknowledges, beside the same app that keeps nothing. */
import type { Provider } from '../../shared/contracts/topics.ts'
import { atLeast, type Bench, type Figure, type Measured, median, ratioAtLeast, type World } from './bench.ts'
import type { Answered, Load } from './closed-loop-worker.ts'
import { openGateway, type Server, startServer } from './gateway-scene.ts'
import { acknowledgement, signedRequests } from './notifications.ts'
import { inWorker } from './worker.ts'

/** 64 first: what Node compiles only once is compiled in its warm-up, which a single connection would take far longer to do. */
const connectionCounts = [64, 1, 256, 1_000]
/** In a shorter run, fewer connections: more would still be opening. */
const connectionsPerSecond = 500
/** What a machine has to show on which the absolute goals hold as they stand: bare `node:http`, 64 connections, requests a second. */
const referenceBare = 25_000
const goalsThere: Record<Provider, Map<number, number>> = {
  alipayplus: new Map([
    [64, 9_000],
    [1_000, 10_000],
  ]),
  bluepay: new Map(),
}
const names: Record<Provider, string> = { alipayplus: 'Alipay+', bluepay: 'BluePay' }

export const gatewayBench = (name: string, provider: Provider): Bench => ({
  name,
  about: `durable acknowledgements of one gateway process: ${names[provider]}, 1 KiB, verified, sealed, acks=all, closed loop`,
  run: (world) => measure(world, provider),
})

/** What a closed loop sends, and how long. */
export const closedLoop = (world: World, provider: Provider, connections: number) => ({
  ...{ method: 'POST' as const, requests: signedRequests(provider), expected: acknowledgement[provider], connections },
  ...{ warmUpSeconds: world.seconds / 5, seconds: world.seconds },
})

export const askInLoop = ({ url, pid }: Server, question: Omit<Load, 'url' | 'pid'>): Promise<Answered> =>
  inWorker('closed-loop-worker.ts', { ...question, url, pid } satisfies Load)

/** One number of connections; a value each per repeat. */
type Rounds = { connections: number; kept: Answered[]; ceiling: Answered[] }

async function measure(world: World, provider: Provider): Promise<Measured> {
  const { server: gateway, env, expectStored } = await openGateway(world, provider)
  const answering = await startServer(world, env, 'answering-server.ts')
  const bareHttp = await startServer(world, { ANSWER: 'ok' }, 'bare-server.ts')
  const counts = connectionCounts.filter((connections) => connections <= connectionsPerSecond * world.seconds)
  const all = counts.map((connections): Rounds => ({ connections, kept: [], ceiling: [] }))
  const bare: Answered[] = []

  const bar = world.progress(`gateway, ${provider}`, world.repeat * (2 * counts.length + 1))
  let done = 0
  for (let n = 0; n < world.repeat; n++) {
    const plain = { method: 'GET' as const, requests: [{ path: '/', headers: {}, body: '' }], expected: 'ok' }
    bare.push(await askInLoop(bareHttp, { ...closedLoop(world, provider, 64), ...plain }))
    bar.advance(++done)
    for (const { connections, kept, ceiling } of all) {
      const question = closedLoop(world, provider, connections)
      const answered = await askInLoop(gateway, question)
      await expectStored(answered.allAnswers)
      kept.push(answered)
      bar.advance(++done)
      ceiling.push(await askInLoop(answering, question))
      bar.advance(++done)
    }
  }
  bar.end()
  all.sort((a, b) => a.connections - b.connections)
  return {
    figures: [...all.map((rounds) => figureOf(provider, rounds, bare.map(rate))), bareFigure(provider, bare)],
    plots: [
      {
        title: `${names[provider]}, median`,
        x: { label: 'connections', values: all.map(({ connections }) => connections) },
        unit: 'acks/s',
        series: [
          { name: 'gateway', y: all.map(({ kept }) => median(kept.map(rate))) },
          { name: 'keeping nothing', y: all.map(({ ceiling }) => median(ceiling.map(rate))) },
        ],
      },
    ],
  }
}

function figureOf(provider: Provider, { connections, kept, ceiling }: Rounds, bareRates: number[]): Figure {
  const ms = (which: 'p50Ms' | 'p99Ms') => `${median(kept.map((answered) => answered[which])).toFixed(1)} ms`
  const latencies = `p50 ${ms('p50Ms')}, p99 ${ms('p99Ms')}`
  const there = goalsThere[provider].get(connections)
  const bareHere = Math.round(median(bareRates))
  const here = there === undefined ? undefined : Math.round((there * bareHere) / referenceBare)
  return {
    name: `gateway/${provider}/${connections}`,
    what: `${names[provider]}, ${connections} connection${connections === 1 ? '' : 's'}`,
    unit: 'acks/s',
    values: kept.map(rate),
    ceiling: { what: 'the same app verifying and answering, keeping nothing', values: ceiling.map(rate) },
    cpuUs: kept.map(cpuEach),
    goals: [ratioAtLeast(0.6), ...(here === undefined ? [] : [atLeast(here)])],
    note:
      here === undefined
        ? latencies
        : `${latencies}; the absolute goal, ${there}/s where bare node:http gives ${referenceBare}/s, is ${here}/s here, where it gives ${bareHere}/s`,
  }
}

const bareFigure = (provider: Provider, bare: Answered[]): Figure => ({
  name: `gateway/${provider}/bare-http`,
  what: 'bare `node:http`, GET, 64 connections: what the machine is worth',
  unit: 'requests/s',
  values: bare.map(rate),
  cpuUs: bare.map(cpuEach),
  goals: [],
})

export const rate = ({ answers, seconds }: Answered) => answers / seconds

/** CPU of all threads of the process that answered, in microseconds. */
export const cpuEach = ({ cpuUs, answers }: Answered) => cpuUs / answers
