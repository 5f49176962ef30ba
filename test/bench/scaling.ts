/** What a second process brings as far as the machine's cores go, which its broker and load generator need, too. */
import { waitFor } from '../support/wait-for.ts'
import type { Bench, Figure, World } from './bench.ts'
import { askInLoop, closedLoop, rate } from './gateway.ts'
import { openGateway, startServer, untilReady } from './gateway-scene.ts'
import { type Ground, makeKeys, onFreshGround } from './ground.ts'
import { fillRaw } from './raw-records.ts'
import { startStage } from './stage-run.ts'

const connections = 64
const partitions = 12
const counts = [1, 2]
const drainedWithin = { timeoutMs: 900_000 }

export const scaling: Bench = {
  name: 'scaling',
  about: `one process against two on the same cores: gateways behind one port (${connections} connections), and members of the normalizer's group`,
  async run(world) {
    return { figures: [...(await scaleGateway(world)), ...(await scaleNormalizer(world))] }
  },
}

async function scaleGateway(world: World): Promise<Figure[]> {
  const { server, env } = await openGateway(world, 'alipayplus')
  const two = await startServer(world, { ...env, GATEWAY_PROCESSES: '2' })
  await untilReady(two)
  const values = counts.map((): number[] => [])
  for (let n = 0; n < world.repeat; n++)
    for (const [index, each] of [server, two].entries())
      values[index]?.push(rate(await askInLoop(each, closedLoop(world, 'alipayplus', connections))))
  return figuresOf('gateway', 'processes of the gateway', 'acks/s', values)
}

async function scaleNormalizer(world: World): Promise<Figure[]> {
  const keys = await makeKeys()
  const values = counts.map((): number[] => [])
  for (let n = 0; n < world.repeat; n++)
    for (const [index, members] of counts.entries())
      values[index]?.push(await onFreshGround(world, keys, partitions, (ground) => drainWith(members, world, ground)))
  return figuresOf('normalizer', "members of the normalizer's group", 'records/s', values)
}

/** Records a second from the moment at which all members have work. */
async function drainWith(members: number, world: World, ground: Ground): Promise<number> {
  const { t, env } = ground
  await fillRaw(world, ground)
  const runs = await Promise.all(
    Array.from({ length: members }, () => startStage(t, 'normalizer', env, { begins: 'without-records' })),
  )
  const committed = () => runs.reduce((sum, run) => sum + run.count('records'), 0)
  await waitFor(`${members} normalizers to commit ${world.records} records`, () => committed() >= world.records, drainedWithin)
  const begun = Math.max(...runs.map((run) => Math.min(...run.batches().map(({ begunAt }) => begunAt))))
  const after = runs.flatMap((run) => run.batches()).filter(({ begunAt }) => begunAt >= begun)
  if (after.length === 0) throw new Error(`${world.records} records are too few: not all ${members} members had work at once`)
  const ended = Math.max(...after.map(({ committedAt }) => committedAt))
  for (const { service } of runs) await service.stop()
  return (after.reduce((sum, { records }) => sum + records, 0) * 1_000) / (ended - begun)
}

/** Of each count, and of two beside one. */
const figuresOf = (name: string, what: string, unit: string, values: number[][]): Figure[] =>
  counts.map((count, index) => ({
    name: `scaling/${name}/${count}`,
    what: `${what}: ${count}`,
    unit,
    values: values[index] as number[],
    ...(count > 1 && { ceiling: { what: 'one process', values: values[0] as number[] } }),
    goals: [],
  }))
