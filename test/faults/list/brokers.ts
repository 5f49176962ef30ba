/** Kafka nodes killed, stopped and cut down below the minimum of in-sync replicas. */
import { setTimeout as sleep } from 'node:timers/promises'
import { groupId } from '../../../shared/contracts/topics.ts'
import { type Bite, type Fault, mustBite, type Scene, untilAllMove } from '../fault.ts'

const brokerTargetMs = 30_000

/** kill -9, the pipeline's recovery, and the node back in sync before anything else happens. */
async function killAndRecover(scene: Scene, id: number): Promise<number> {
  const { brokers } = scene
  await brokers.kill(id)
  const recoveryMs = await untilAllMove(scene, Date.now())
  await brokers.start(id)
  await brokers.untilInSync()
  return recoveryMs
}

/** Kills whatever node has a part just then. */
const killing = (
  name: string,
  about: string,
  find: (scene: Scene) => Promise<number>,
  { times, smoke }: { times?: number; smoke?: boolean } = {},
): Fault => ({
  name,
  about,
  targetMs: brokerTargetMs,
  ...(smoke ? { smoke } : {}),
  async run(scene): Promise<Bite> {
    const killed: number[] = []
    const recoveriesMs: number[] = []
    for (let time = 0; time < (times ?? scene.repeat); time++) {
      const id = await find(scene)
      killed.push(id)
      recoveriesMs.push(await killAndRecover(scene, id))
    }
    return { proof: `nodes ${killed.join(', ')} ended by SIGKILL`, recoveriesMs }
  },
})

const leader = async ({ brokers, topics, random }: Scene) => brokers.leaderOf(topics.raw.alipayplus, random.integer(0, 11))
const groupCoordinator = async ({ brokers, prefix }: Scene) => brokers.groupCoordinator(groupId('deduplicator', prefix))
const transactionCoordinator = async ({ brokers, prefix, random }: Scene) =>
  brokers.transactionCoordinator(`${groupId('deduplicator', prefix)}.slots-4.${random.integer(0, 3)}`)

const controllerKill: Fault = {
  name: 'broker/kill-controller',
  about: 'kill -9 of the active controller',
  targetMs: brokerTargetMs,
  async run(scene) {
    const id = await scene.brokers.controller()
    const recoveriesMs = [await killAndRecover(scene, id)]
    const next = await scene.brokers.controller()
    mustBite(next !== id, 'the controller did not move')
    return { proof: `the controller moved from ${id} to ${next}`, recoveriesMs }
  },
}

const belowMinimum: Fault = {
  name: 'broker/isr-below-minimum',
  about: 'two of three nodes killed: no acknowledgement may be given until one is back',
  async run(scene) {
    const { brokers, load, random } = scene
    const [one, two] = random.shuffle(brokers.ids) as [number, number]
    await Promise.all([brokers.kill(one), brokers.kill(two)])
    const downAt = Date.now()
    await sleep(5_000 + 5_000 * scene.repeat)
    const upAt = Date.now()
    // An answer may have been on its way when the second one died.
    const acknowledged = load.acknowledged(downAt + 100, upAt)
    if (acknowledged > 0) throw new Error(`${acknowledged} notifications were acknowledged with one replica alive`)
    const refused = load.answered(downAt + 100, upAt) - acknowledged
    await Promise.all([brokers.start(one), brokers.start(two)])
    const recoveriesMs = [await untilAllMove(scene, Date.now())]
    await brokers.untilInSync()
    mustBite(refused > 0, 'nothing was sent meanwhile')
    return {
      proof: `0 acknowledged and ${refused} told to call again or unanswered in ${Math.round((upAt - downAt) / 1000)} s`,
      recoveriesMs,
    }
  },
}

const rollingRestart: Fault = {
  name: 'broker/rolling-restart',
  about: 'SIGTERM of all three nodes, one after the other',
  targetMs: brokerTargetMs,
  async run(scene) {
    const { brokers } = scene
    const recoveriesMs: number[] = []
    for (const id of brokers.ids) {
      await brokers.stop(id)
      recoveriesMs.push(await untilAllMove(scene, Date.now()))
      await brokers.start(id)
      await brokers.untilInSync()
    }
    return { proof: 'three nodes ended in order and came back in sync', recoveriesMs }
  },
}

/** A node that hangs keeps its connections open: only time-outs tell. */
const hang: Fault = {
  name: 'broker/hang-leader',
  about: 'SIGSTOP of a leader for 20 s, then SIGCONT',
  targetMs: brokerTargetMs,
  async run(scene) {
    const { brokers } = scene
    const id = await leader(scene)
    brokers.pause(id)
    const hungAt = Date.now()
    const recovery = untilAllMove(scene, hungAt + 1)
    await sleep(20_000)
    brokers.resume(id)
    const recoveriesMs = [await recovery]
    await brokers.untilInSync()
    return { proof: `node ${id} stood still for 20 s`, recoveriesMs }
  },
}

export const brokerFaults: Fault[] = [
  killing('broker/kill-leader', 'kill -9 chasing the leader of a raw partition', leader, { times: 5 }),
  killing(
    'broker/kill-group-coordinator',
    "kill -9 of the node that coordinates the deduplicators' group, transactions under way",
    groupCoordinator,
    { smoke: true },
  ),
  killing(
    'broker/kill-transaction-coordinator',
    "kill -9 of the node that coordinates a deduplicator's transactions, transactions under way",
    transactionCoordinator,
  ),
  controllerKill,
  belowMinimum,
  rollingRestart,
  hang,
]
