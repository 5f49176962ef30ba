/**
 * Replays many raw records to a side topic by command and compares it with the public topic byte for byte: `npm run replay:many`, with a
 * number of records if not 100,000. Kafka and Redis of its own, the real services; Redis forgets everything on the way. Exit 1 at any difference.
 */
import { join } from 'node:path'
import { projectRoot, startStack } from '../../deploy/local/start-stack.ts'
import { StopRequested, untilStopped } from '../../deploy/local/until-stopped.ts'
import { type Provider, providers } from '../../shared/contracts/topics.ts'
import { describeError } from '../../shared/runtime/log.ts'
import { machine } from '../support/machine.ts'
import { operator, type Run } from './operator-under-test.ts'
import { type Accepted, bytesByPartition, notification, type Scene, startScene } from './replay-scene.ts'

const records = Number(process.argv[2] ?? 100_000)
const piece = Math.min(5_000, Math.ceil(records / 4))
const hourMs = 60 * 60 * 1000
const say = (line: string) => process.stdout.write(`${line}\n`)

const stopping = untilStopped()
const teardowns: (() => Promise<void> | void)[] = []
try {
  await stopping.unlessStopped(main())
} catch (error) {
  if (!(error instanceof StopRequested)) say(describeError(error))
  process.exitCode = 1
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
process.exit()

async function main(): Promise<void> {
  const dir = join(projectRoot, '.local', 'replay-many')
  const stack = await startStack({ dir, reset: true, log: () => {}, onDeath: stopping.fail })
  teardowns.push(() => stack.stop())
  process.env.KAFKA_BROKERS = stack.brokers
  process.env.REDIS_URL = stack.redisUrl
  const scene = await startScene({ teardown: (handler) => void teardowns.push(handler) }, { partitions: 12 })
  say(machine())
  await makePast(scene)

  const replay = async (what: string, ...args: string[]) => {
    const begun = performance.now()
    const cpu = process.cpuUsage()
    const run = await operator(['replay', ...args, '--json'], { env: scene.env })
    const { user, system } = process.cpuUsage(cpu)
    say(
      `${what}: ${figures(begun)}, ${((user + system) / 1e6).toFixed(1)} s of CPU; ${run.code === 0 ? 'nothing differs' : run.out}`,
    )
    if (run.code !== 0) throw new Error(run.err || 'It differs')
    return run
  }
  checkCounts(await replay('Plan', 'plan', '--all'))
  checkCounts(await replay('Run', 'run', '--all', '--id', 'many'))
  const side = await bytesByPartition(`${scene.set.prefix}replays.many.token-events.v1`)
  const open = await bytesByPartition(scene.set.topics.events)
  let events = 0
  for (const [partition, bytes] of open) {
    events += bytes.length
    const same = JSON.stringify(side.get(partition)) === JSON.stringify(bytes)
    if (!same) throw new Error(`Partition ${partition} of the side topic is not byte for byte that of the public one`)
  }
  if (side.size !== open.size) throw new Error('The side topic has other partitions')
  say(`${events} events of ${records} raw records, byte for byte the same: key, value, headers, timestamp, order and partition.`)
}

/** A fifth copies, some in conflict, some dead, cancellations early and late; over 150 hours, so that copies fall beyond the window. */
async function makePast(scene: Scene): Promise<void> {
  const begun = performance.now()
  const begin = Date.now() - 200 * hourMs
  for (let from = 0; from < records; from += piece) {
    if (from === 2 * piece) await scene.flushRedis()
    const accepted = Array.from({ length: Math.min(piece, records - from) }, (_, index): Accepted => {
      const n = from + index
      return { fixture: nth(n), at: begin + Math.floor((n / records) * 150 * hourMs) }
    })
    await scene.live(accepted)
  }
  say(`Live, with Redis flushed once: ${figures(begun)}`)
}

function nth(n: number) {
  const provider = providers[n % 2] as Provider
  if (n % 50 === 0) return notification('dead', provider, n)
  if (n % 10 === 3) return notification('created', provider, n % 1_000)
  if (n % 10 === 4) return notification('created', provider, n - 2, n % 100 === 4 ? 'other' : 'first')
  if (n % 10 === 5) return notification('canceled', provider, n + 4)
  if (n % 10 === 7) return notification('canceled', provider, n - 6)
  return notification('created', provider, n)
}

function figures(begun: number): string {
  const seconds = (performance.now() - begun) / 1000
  return `${records} records in ${seconds.toFixed(1)} s, ${Math.round(records / seconds)}/s`
}

function checkCounts(run: Run): void {
  const { counts, today } = run.json() as { counts: Record<string, number>; today: Record<string, number> }
  say(`  ${JSON.stringify(counts)} ${JSON.stringify(today)}`)
  if (counts.same !== records) throw new Error(`${counts.same} of ${records} were compared`)
}
