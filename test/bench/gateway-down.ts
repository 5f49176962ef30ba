/** What the gateway's memory does while Kafka is away and many senders knock, each again as soon as it is told to call again. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../deploy/local/free-ports.ts'
import { type LocalKafka, startKafka } from '../../deploy/local/kafka.ts'
import type { OwnedProcess } from '../../deploy/local/owned-process.ts'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { makeTopics, quietKafka } from '../../deploy/local/topics.ts'
import { atMost, type Bench, type Figure, type Plot, percentile, type World } from './bench.ts'
import type { Answered } from './closed-loop-worker.ts'
import { askInLoop } from './gateway.ts'
import { expectAcknowledged, gatewayEnvironment, partitions, startServer, untilReady } from './gateway-scene.ts'
import { callAgain, signedRequests } from './notifications.ts'
import { peakResidentMib, residentMib } from './process-cost.ts'

const senders = 2_000
/** Shorter than by default, so that each sender knocks about once a second; as many notifications wait at any time. */
const deadlineMs = 1_000
const sampleMs = 100
const mostMib = 200

type Down = { peakMib: number; samples: number[]; answered: Answered }

/** In this order, with one Kafka of the benchmark's own. */
const absences = {
  hung: 'Kafka was there, and hangs (SIGSTOP)',
  killed: 'Kafka was there, and is gone (SIGKILL)',
  'never-there': 'Kafka is gone since before the gateway started',
} as const
type Absence = keyof typeof absences

export const gatewayDown: Bench = {
  name: 'gateway-down',
  about:
    'resident memory of the gateway while Kafka is away and senders knock: Alipay+, 1 KiB, each answer checked to be "call again"',
  async run(world: World) {
    const kafka = await startOwnKafka(world)
    const downs: Record<Absence, Down[]> = { hung: [], killed: [], 'never-there': [] }
    const bar = world.progress('gateway-down', 3 * world.repeat)
    for (let n = 0; n < world.repeat; n++) {
      const node = n === 0 ? (kafka.nodes.get(1) as OwnedProcess) : await kafka.startNode(1)
      downs.hung.push(await knock(world, kafka.brokers, () => node.kill('SIGSTOP')))
      node.kill('SIGCONT')
      bar.advance(3 * n + 1)
      downs.killed.push(await knock(world, kafka.brokers, () => node.kill('SIGKILL')))
      bar.advance(3 * n + 2)
      await node.exited
      downs['never-there'].push(await knock(world, kafka.brokers))
      bar.advance(3 * n + 3)
    }
    bar.end()
    const names = Object.keys(absences) as Absence[]
    return { figures: names.flatMap((name) => figuresOf(name, downs[name], sendersIn(world))), plots: [plotOf(downs)] }
  },
}

/** In a run of less than a second there is no time for all. */
const sendersIn = ({ seconds }: World) => Math.min(senders, Math.ceil(senders * seconds))

/** A Kafka that may be stopped: the world's is everybody's. */
async function startOwnKafka({ dir, say, teardown }: World): Promise<LocalKafka> {
  const dataDir = join(dir, 'kafka')
  rmSync(dataDir, { recursive: true, force: true })
  const kafka = await startKafka({
    ...{ programDir: join(projectRoot, '.local/kafka'), dataDir, logDir: dir, log: say },
    nodes: [{ id: 1, port: await freePort(), controllerPort: await freePort() }],
  })
  teardown(async () => {
    for (const node of kafka.nodes.values()) {
      node.kill('SIGKILL')
      await node.exited
    }
    rmSync(dataDir, { recursive: true, force: true })
  })
  await makeTopics(quietKafka(kafka.brokers), { prefix: '', partitions, own: true })
  return kafka
}

/** A new gateway each time: its memory begins where a restart leaves it. With `takeAway` it has Kafka, and acknowledges, until that is called. */
async function knock(world: World, brokers: string, takeAway?: () => void): Promise<Down> {
  const ends: (() => Promise<void> | void)[] = []
  const own: World = { ...world, teardown: (end) => void ends.push(end) }
  const requests = signedRequests('alipayplus')
  try {
    const env = { ...gatewayEnvironment(world.dir, brokers), ALIPAYPLUS_DEADLINE_MS: String(deadlineMs) }
    const gateway = await startServer(own, env)
    // Without Kafka it would take its time to end.
    own.teardown(() => void process.kill(gateway.pid, 'SIGKILL'))
    if (takeAway) {
      await untilReady(gateway)
      await expectAcknowledged('alipayplus', gateway, requests)
      takeAway()
    }
    const answering = askInLoop(gateway, {
      ...{ method: 'POST', requests, expected: callAgain.alipayplus, connections: sendersIn(world) },
      ...{ warmUpSeconds: 0, seconds: Math.max(world.seconds, deadlineMs / 1_000) },
    })
    const ended = answering.then(
      () => true,
      () => true,
    )
    const samples: number[] = []
    while (!(await Promise.race([ended, sleep(sampleMs, false)]))) samples.push(residentMib(gateway.pid))
    return { answered: await answering, peakMib: peakResidentMib(gateway.pid), samples }
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

const figuresOf = (name: Absence, downs: Down[], count: number): Figure[] => [
  {
    name: `gateway-down/${name}`,
    what: `most resident memory, ${count} senders. ${absences[name]}`,
    unit: 'MiB',
    values: downs.map(({ peakMib }) => peakMib),
    goals: [atMost(mostMib)],
  },
  {
    name: `gateway-down/${name}/growth`,
    what: 'resident memory of the last third of the time over that of the middle third, medians: 1 is flat',
    unit: '×',
    values: downs.map(({ samples }) => third(samples, 2) / third(samples, 1)),
    goals: [],
  },
  {
    name: `gateway-down/${name}/answers`,
    what: 'told to call again, from the first knock to the last',
    unit: 'answers',
    values: downs.map(({ answered }) => answered.allAnswers),
    goals: [],
  },
]

/** The median of the first (0), middle (1) or last (2) third. */
function third(samples: number[], which: number): number {
  const part = samples.slice(Math.floor((which * samples.length) / 3), Math.ceil(((which + 1) * samples.length) / 3))
  return percentile(
    part.sort((a, b) => a - b),
    0.5,
  )
}

function plotOf(downs: Record<Absence, Down[]>): Plot {
  const series = (Object.keys(absences) as Absence[]).map((name) => ({ name, y: downs[name][0]?.samples ?? [] }))
  const values = Array.from({ length: Math.max(...series.map(({ y }) => y.length)) }, (_, n) => (n * sampleMs) / 1_000)
  return {
    title: 'resident memory, first repeat',
    x: { label: 'seconds', values },
    unit: 'MiB',
    series: series.map(({ name, y }) => ({ name, y: values.map((_, n) => y[n] ?? null) })),
  }
}
