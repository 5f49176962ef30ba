/** Runs faults against a scene, one lane beside the other and then alone, and says of each what it did. */
import { describeError } from '../../shared/runtime/log.ts'
import { type Fault, type Scene, untilAllMove } from './fault.ts'

/** One fault's end. `delayed`: records that took longer than a second; `duplicates`: copies that were suppressed; both while it went on. */
export type FaultResult = {
  name: string
  about: string
  proof?: string
  failure?: string
  recoveriesMs: number[]
  targetMs?: number
  startedAt: number
  endedAt: number
  delayed: number
  duplicates: number
}

/** `deadline`: no fault is begun after it (milliseconds since 1970). */
export async function runFaults(scene: Scene, faults: Fault[], deadline = Number.POSITIVE_INFINITY): Promise<FaultResult[]> {
  const results: FaultResult[] = []
  const run = async (fault: Fault) => {
    if (Date.now() > deadline) return
    results.push(await runFault(scene, fault))
  }
  const lanes = Map.groupBy(
    faults.filter(({ lane }) => lane),
    ({ lane }) => lane,
  )
  await Promise.all(
    [...lanes.values()].map(async (inLane) => {
      for (const fault of inLane) await run(fault)
    }),
  )
  for (const fault of scene.random.shuffle(faults.filter(({ lane }) => !lane))) {
    await restore(scene)
    await run(fault)
  }
  await restore(scene)
  return results
}

async function runFault(scene: Scene, fault: Fault): Promise<FaultResult> {
  const { name, about, targetMs } = fault
  const startedAt = Date.now()
  scene.say(`${name} …`)
  const end = (rest: Partial<FaultResult>): FaultResult => {
    const endedAt = Date.now()
    const seconds = ((endedAt - startedAt) / 1000).toFixed(1)
    scene.say(rest.failure ? `FAILED ${name}: ${rest.failure}` : `${name}: ${rest.proof} (${seconds} s)`)
    return {
      ...{ name, about, recoveriesMs: [], startedAt, endedAt },
      ...(targetMs === undefined ? {} : { targetMs }),
      ...scene.watch.between(startedAt, endedAt),
      ...rest,
    }
  }
  try {
    return end(await fault.run(fault.once ? { ...scene, repeat: 1 } : scene))
  } catch (error) {
    return end({ failure: describeError(error) })
  }
}

/** Whatever the last fault left behind: everything runs, nothing is cut off, and the pipeline moves. */
async function restore(scene: Scene): Promise<void> {
  const { brokers, proxy, redis, fleet, load } = scene
  proxy.heal()
  await redis.heal()
  for (const id of brokers.ids) await brokers.ensure(id)
  await brokers.untilInSync()
  load.resume()
  await fleet.restore()
  await untilAllMove(scene, Date.now())
}
