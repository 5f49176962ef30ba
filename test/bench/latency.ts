/** How long a sender waits for a durable acknowledgement at half of the load that the gateway can take. */
import { atMost, type Bench, type Figure, type World } from './bench.ts'
import type { Answered } from './closed-loop-worker.ts'
import type { EvenLoad, Latencies } from './even-load-worker.ts'
import { askInLoop, closedLoop, rate } from './gateway.ts'
import { openGateway } from './gateway-scene.ts'
import type { Sending, Sent } from './one-send-worker.ts'
import { inWorker } from './worker.ts'

const connections = 64

export const latency: Bench = {
  name: 'latency',
  about: `how long a durable acknowledgement takes at half of the peak rate of ${connections} connections: Alipay+, 1 KiB`,
  async run(world: World) {
    const { server, records, expectStored } = await openGateway(world, 'alipayplus')
    const question = closedLoop(world, 'alipayplus', connections)
    const { url } = server
    const { warmUpSeconds, seconds } = question
    const acknowledged = async <A extends { allAnswers: number }>(asked: Promise<A>): Promise<A> => {
      await expectStored((await asked).allAnswers)
      return asked
    }
    const sending: Sending = {
      ...{ brokers: world.brokers, topic: records[0]?.topic as string, warmUpSeconds, seconds },
      records: records.map(({ key, value, headers }) => ({ key: String(key), value: String(value), headers })),
    }
    const rounds: { peak: number; even: Latencies; bursts: Answered; alone: Sent }[] = []
    const bar = world.progress('latency', 4 * world.repeat)
    for (let n = 0; n < world.repeat; n++) {
      const peak = rate(await acknowledged(askInLoop(server, question)))
      bar.advance(4 * n + 1)
      const perSecond = Math.max(connections, Math.round(peak / 2))
      const even = await acknowledged(
        inWorker<Latencies>('even-load-worker.ts', { ...question, url, perSecond } satisfies EvenLoad),
      )
      bar.advance(4 * n + 2)
      const alone = await inWorker<Sent>('one-send-worker.ts', sending)
      bar.advance(4 * n + 3)
      // Whole seconds, as it sends once a second.
      const bursts = await acknowledged(askInLoop(server, { ...question, perSecond, seconds: Math.ceil(seconds) }))
      bar.advance(4 * n + 4)
      rounds.push({ peak, even, bursts, alone })
    }
    bar.end()
    const of = (value: (round: (typeof rounds)[number]) => number) => rounds.map(value)
    const even = 'even rate, counted from when each request was due'
    const bursts = 'autocannon’s `overallRate`'
    const alone = 'one kafkajs send at a time'
    const figures: Figure[] = [
      {
        name: 'latency/p50',
        what: `p50, ${even}`,
        unit: 'ms',
        values: of((round) => round.even.p50Ms),
        ceiling: { what: alone, values: of((round) => round.alone.p50Ms) },
        goals: [],
      },
      {
        name: 'latency/p99',
        what: `p99, ${even}`,
        unit: 'ms',
        values: of((round) => round.even.p99Ms),
        ceiling: { what: alone, values: of((round) => round.alone.p99Ms) },
        goals: [],
      },
      {
        name: 'latency/p99-over-p50',
        what: `p99 over p50, ${even}`,
        unit: '×',
        values: of(({ even }) => even.p99Ms / even.p50Ms),
        goals: [atMost(5)],
      },
      {
        name: 'latency/overall-rate/p50',
        what: `p50, ${bursts}`,
        unit: 'ms',
        values: of((round) => round.bursts.p50Ms),
        goals: [],
      },
      {
        name: 'latency/overall-rate/p99-over-p50',
        what: `p99 over p50, ${bursts}`,
        unit: '×',
        values: of(({ bursts }) => bursts.p99Ms / bursts.p50Ms),
        goals: [atMost(5)],
        note:
          'autocannon sends each second’s share as fast as it is answered and then waits for the next second: bursts at full speed, not an even ' +
          'rate, and a request that had to wait for its connection is counted from when it was sent.',
      },
      {
        name: 'latency/peak',
        what: `closed loop, ${connections} connections`,
        unit: 'acks/s',
        values: of(({ peak }) => peak),
        goals: [],
      },
      {
        name: 'latency/one-at-a-time',
        what: alone,
        unit: 'records/s',
        values: of((round) => round.alone.records / seconds),
        goals: [],
      },
    ]
    return { figures }
  },
}
