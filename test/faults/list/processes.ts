/** Processes killed, stopped and restarted, at random instants and at every failpoint. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceName, serviceNames } from '../../../deploy/local/pipeline.ts'
import { type Failpoint, failpoints } from '../../../shared/runtime/failpoint.ts'
import {
  type Fault,
  isOf,
  mustBite,
  type Scene,
  type Stage,
  stages,
  untilAllMove,
  untilGatewayAcknowledges,
  untilStageMoves,
} from '../fault.ts'
import type { Line, Member } from '../scene/fleet.ts'

const sessionMs = 6_000
/** A session runs from the last heartbeat, which may be two seconds old. */
const leastAwayMs = sessionMs - 2_500
/** `design.md` asks for the session time-out and two seconds; a process of the gateway has no session. */
const killTargetMs = sessionMs + 2_000
const neverMs = 120_000

/** How many passes before it acts. Few places are passed only once or twice by a process. */
const rare = new Set<Failpoint>(['registry.read', 'slot.opening', 'slot.fenced', 'slot.opened'])

const untilMoves = (scene: Scene, service: ServiceName, since: number) =>
  service === 'gateway' ? untilGatewayAcknowledges(scene, since) : untilStageMoves(scene, service, since)

const memberOf = ({ fleet, random }: Scene, service: ServiceName): Member => random.pick(fleet.members(service))

/** kill -9 of one member at a random instant, alone, so that its recovery can be measured. */
const killOf = (service: ServiceName): Fault => ({
  name: `kill/${service}/any-instant`,
  about: `kill -9 of a ${service} at a random instant`,
  smoke: service === 'deduplicator',
  targetMs: killTargetMs,
  async run(scene) {
    const recoveriesMs: number[] = []
    for (let time = 0; time < scene.repeat; time++) {
      await sleep(scene.random.integer(0, 1_000))
      const victim = memberOf(scene, service)
      victim.process.kill('SIGKILL')
      await victim.process.exited
      recoveriesMs.push(await untilMoves(scene, service, Date.now()))
    }
    return { proof: `${recoveriesMs.length} members ended by SIGKILL`, recoveriesMs }
  },
})

/** Arms the failpoints one process after the other: each that is killed makes room for the next. */
async function killChain(scene: Scene, service: ServiceName, names: readonly Failpoint[], repeat: number): Promise<string> {
  const { fleet, random } = scene
  const planned = random.shuffle(Array.from({ length: repeat }, () => names).flat())
  const hits = new Map<string, number>()
  for (const name of planned)
    fleet.arm(service, `${name}:kill:${random.integer(1, rare.has(name) ? 1 : 4)}:${random.integer(0, 3)}`)
  memberOf(scene, service).process.kill('SIGKILL')
  let since = Date.now()
  for (const name of planned) {
    const isHit = (line: Line) => isOf(service, 'failpoint')(line) && line.name === name
    const hit = await fleet.until(`a ${service} to die at ${name}`, since, isHit, neverMs).catch(() => undefined)
    mustBite(hit !== undefined, `no ${service} passed ${name} within ${neverMs / 1000} s`)
    since = (hit as Line).at + 1
    hits.set(name, (hits.get(name) ?? 0) + 1)
    scene.say(`  ${service} killed at ${name}`)
  }
  return [...hits].map(([name, count]) => `${name} ×${count}`).join(', ')
}

const killAtFailpointsOf = (service: ServiceName): Fault => ({
  name: `kill/${service}/failpoints`,
  about: `kill -9 of a ${service} at every failpoint`,
  lane: service,
  async run(scene) {
    try {
      const proof = await killChain(scene, service, failpoints[service].filter(scene.wants), scene.repeat)
      await untilMoves(scene, service, Date.now())
      return { proof, recoveriesMs: [] }
    } finally {
      scene.fleet.disarm(service)
    }
  },
})

const killWhileRebuilding: Fault = {
  name: 'kill/deduplicator/rebuild',
  about: 'kill -9 of a deduplicator at every failpoint of a rebuild, after Redis has forgotten everything',
  async run(scene) {
    const { fleet, redis, random } = scene
    const proofs: string[] = []
    for (let time = 0; time < scene.repeat; time++) {
      for (const name of failpoints.rebuild) {
        const since = Date.now()
        fleet.arm('deduplicator', `${name}:kill:${random.integer(1, 2)}:${random.integer(0, 3)}`)
        const old = memberOf(scene, 'deduplicator')
        await old.process.stop()
        await fleet.until(
          'a new deduplicator',
          since,
          (line) => isOf('deduplicator', 'assigned')(line) && line.member.armed.startsWith(name),
        )
        await redis.flush()
        await fleet.until(
          `a deduplicator to die at ${name}`,
          since,
          (line) => isOf('deduplicator', 'failpoint')(line) && line.name === name,
        )
        await untilStageMoves(scene, 'deduplicator', Date.now())
        proofs.push(name)
      }
    }
    return { proof: proofs.join(', '), recoveriesMs: [] }
  },
}

/**
 * One member hangs in the middle of its work until the group has gone on without it, and wakes up. What it had under way must not count: the
 * accounts show that, and here that it has lost its generation (it is assigned anew, or its process has ended).
 */
async function hangAt(scene: Scene, stage: Stage, name: Failpoint): Promise<{ fenced: boolean; awayMs: number }> {
  const { fleet, random } = scene
  const begin = Date.now()
  fleet.arm(stage, `${name}:stop:${random.integer(1, rare.has(name) ? 1 : 4)}:${random.integer(0, 2)}`)
  await memberOf(scene, stage).process.stop()
  const isHang = (line: Line) => isOf(stage, 'failpoint')(line) && line.name === name
  const { at: hungAt, member } = await fleet.until(`a ${stage} to hang at ${name}`, begin, isHang, neverMs)
  const isTakeOver = (line: Line) => isOf(stage, 'assigned')(line) && line.member !== member
  // What they are assigned sooner is of the rebalance that brought this member in.
  const { at: overAt } = await fleet.until(`the others to take over from ${stage}`, hungAt + leastAwayMs, isTakeOver)
  await fleet.until('the others to work', overAt + 1, (line) => isOf(stage, 'batch-processed')(line) && line.member !== member)
  const wokenAt = Date.now()
  member.process.kill('SIGCONT')
  const isBack = (line: Line) => line.member === member && (line.event === 'assigned' || line.event === 'exited')
  await fleet.until(`the ${stage} that hung to lose its place`, wokenAt, isBack)
  const fenced = fleet.count(wokenAt, (line) => line.member === member && line.event === 'fenced') > 0
  return { fenced, awayMs: wokenAt - hungAt }
}

const hangAtFailpointsOf = (stage: Stage): Fault => ({
  name: `hang/${stage}/failpoints`,
  about: `SIGSTOP of a ${stage} at every failpoint until its session has ended, then SIGCONT`,
  lane: stage,
  smoke: stage === 'deduplicator',
  async run(scene) {
    let fenced = 0
    const away: number[] = []
    const names = failpoints[stage].filter((name) => name !== 'registry.read' && scene.wants(name))
    for (const name of scene.random.shuffle(names)) {
      const hang = await hangAt(scene, stage, name)
      if (hang.fenced) fenced++
      away.push(hang.awayMs)
      scene.say(`  ${stage} hung at ${name} for ${(hang.awayMs / 1000).toFixed(1)} s${hang.fenced ? ', fenced' : ''}`)
    }
    mustBite(Math.min(...away) > sessionMs - 1_500, 'the session had not ended')
    return {
      proof: `${away.length} failpoints, replaced after ${Math.round(Math.min(...away) / 100) / 10} s or more, ${fenced} fenced by the broker`,
      recoveriesMs: [],
    }
  },
})

/**
 * Between joining, when kafkajs learns the committed offsets, and fencing, the old owner may still commit. It does so here: it hangs with all but
 * the end of its transaction sent, and wakes up while the new owner, with records fetched from the old offset, is about to fence it. Having committed
 * it hangs again: did it join, the new one would begin anew. All is a matter of tenths of a second, and tried until the new one has gone on.
 */
const wakesBeforeFenceOf = (stage: Stage): Fault => ({
  name: `hang/${stage}/wakes-before-fence`,
  about: `a ${stage} that hung commits after its successor has joined and fetched, and before that one fences it`,
  async run(scene) {
    const { fleet } = scene
    const pauseMs = 500
    let committed = 0
    for (let tries = 0; tries < 4 * scene.repeat && committed < scene.repeat; tries++) {
      const begin = Date.now()
      fleet.arm(stage, 'transaction.outputs-sent:stop:3:0')
      await memberOf(scene, stage).process.stop()
      const { at: hungAt, member: old } = await fleet.until(`a ${stage} to hang`, begin, isOf(stage, 'failpoint'), neverMs)
      fleet.arm(stage, `slot.opening:pause:*:${pauseMs}`)
      for (const member of fleet.members(stage)) if (member !== old) await member.process.stop()
      const isPaused = (line: Line) => isOf(stage, 'failpoint')(line) && line.member !== old
      const { at: pausedAt, member: next } = await fleet.until('its successor to be about to fence it', hungAt, isPaused)
      const batchOf = (member: Member, accept: (line: Line) => boolean) =>
        fleet
          .until('a batch', pausedAt, (line) => line.member === member && line.event === 'batch-processed' && accept(line), 2_000)
          .catch(() => undefined)
      old.process.kill('SIGCONT')
      const late = await batchOf(old, ({ at }) => at < pausedAt + pauseMs)
      old.process.kill('SIGSTOP')
      const goesOn = late && (await batchOf(next, ({ slot }) => slot === late.slot))
      const isAnew = (line: Line) => line.member === next && line.event === 'assigned' && line.at < (goesOn?.at ?? 0)
      if (goesOn && fleet.count(pausedAt, isAnew) === 0) committed++
      old.process.kill('SIGCONT')
      const isBack = (line: Line) => line.member === old && ['assigned', 'exited'].includes(line.event)
      await fleet.until('the old one to lose its place', pausedAt, isBack)
      await next.process.stop()
      await untilStageMoves(scene, stage, Date.now())
    }
    mustBite(committed > 0, 'the old owner never got to commit before the new one went on')
    return { proof: `${committed} times the old owner committed meanwhile`, recoveriesMs: [] }
  },
})

/** A member's batch is kept waiting, the member itself lives: a rebalance takes its generation, and the batch must not be committed under the next. */
const rebalanceInFlight: Fault = {
  name: 'rebalance/in-flight',
  about: 'another member joins while a decided batch of a living member waits',
  async run(scene) {
    const { fleet } = scene
    const recoveriesMs: number[] = []
    for (const stage of stages) {
      const begin = Date.now()
      fleet.arm(stage, 'slot.decided:pause:3:4000')
      await memberOf(scene, stage).process.stop()
      const { at, member } = await fleet.until(`a ${stage} to pause`, begin, isOf(stage, 'failpoint'))
      const joinedAt = Date.now()
      const guest = await fleet.add(stage)
      await fleet.until(
        `the paused ${stage} to get a new generation`,
        at,
        (line) => line.member === member && line.event === 'assigned',
      )
      recoveriesMs.push(await untilStageMoves(scene, stage, joinedAt))
      await guest.process.stop()
    }
    return { proof: 'each paused member was assigned a new generation', recoveriesMs }
  },
}

const rebalanceStorm: Fault = {
  name: 'rebalance/storm',
  about: 'members of every stage join and leave each second for half a minute, 1 to 4 of them',
  async run(scene) {
    const { fleet, random } = scene
    const since = Date.now()
    const until = since + 10_000 + 10_000 * scene.repeat
    await Promise.all(
      stages.map(async (stage) => {
        while (Date.now() < until) {
          await fleet.scale(stage, random.integer(1, 4))
          await sleep(random.integer(300, 1_500))
        }
        await fleet.scale(stage, 2)
      }),
    )
    const assigned = fleet.count(since, ({ event }) => event === 'assigned')
    mustBite(assigned > 5 * scene.repeat, `only ${assigned} assignments`)
    return { proof: `${assigned} assignments`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
}

const rollingRestart: Fault = {
  name: 'restart/rolling',
  about: 'SIGTERM of every process of every service, one after the other',
  async run(scene) {
    const { fleet } = scene
    const since = Date.now()
    let restarted = 0
    for (const service of serviceNames) {
      for (const member of fleet.members(service)) {
        const { code } = await member.process.stop()
        mustBite(code === 0, `${service} ended with ${code}`)
        const isNew = (line: Line) =>
          line.member.service === service && line.event === 'started' && line.member.number > member.number
        await fleet.until(`the next ${service}`, since, isNew)
        restarted++
      }
    }
    return { proof: `${restarted} processes ended with exit code 0`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
}

/** Every owner has ids of its own: nobody fences anybody while all live. */
const steadyLoad: Fault = {
  name: 'load/steady',
  about: 'ten seconds of load and no fault: nobody is fenced, and no process ends',
  async run(scene) {
    const { fleet } = scene
    await untilAllMove(scene, Date.now())
    const since = Date.now()
    await sleep(10_000)
    const amiss = fleet.count(since, ({ event }) => event === 'fenced' || event === 'exited')
    if (amiss > 0) throw new Error(`Without a fault, ${amiss} times somebody was fenced or a process ended`)
    const batches = fleet.count(since, ({ event }) => event === 'batch-processed')
    mustBite(batches > 0, 'nothing was processed')
    return { proof: `${batches} batches, nobody fenced`, recoveriesMs: [] }
  },
}

/** A zombie of the old slot count has other transactional ids; only fencing across the counts stops it. */
const slotCountChange: Fault = {
  name: 'slots/changed-with-zombie',
  about: 'a deduplicator hangs inside a transaction, all others are restarted with another slot count, and it wakes up',
  async run(scene) {
    const { fleet, random } = scene
    const begin = Date.now()
    const name = random.pick<Failpoint>(['transaction.outputs-sent', 'transaction.offsets-sent', 'slot.decided'])
    fleet.arm('deduplicator', `${name}:stop:3:0`)
    await memberOf(scene, 'deduplicator').process.stop()
    const { member: zombie } = await fleet.until('a deduplicator to hang', begin, isOf('deduplicator', 'failpoint'))
    fleet.set('deduplicator', { SLOTS: '6' })
    for (const member of fleet.members('deduplicator')) if (member !== zombie) await member.process.stop()
    const changedAt = Date.now()
    const recoveriesMs = [await untilStageMoves(scene, 'deduplicator', changedAt, 6)]
    const wokenAt = Date.now()
    zombie.process.kill('SIGCONT')
    await fleet.until('the zombie to end', wokenAt, (line) => line.member === zombie && line.event === 'exited')
    await untilStageMoves(scene, 'deduplicator', Date.now(), 6)
    // And back, with all members stopped, as the README has it.
    fleet.set('deduplicator', {})
    await fleet.scale('deduplicator', 0)
    await fleet.scale('deduplicator', 2)
    await untilStageMoves(scene, 'deduplicator', Date.now())
    return { proof: `hung at ${name}, woke up among 6 slots, and ended`, recoveriesMs }
  },
}

export const processFaults: Fault[] = [
  ...serviceNames.map(killAtFailpointsOf),
  ...stages.map(hangAtFailpointsOf),
  ...serviceNames.map(killOf),
  killWhileRebuilding,
  wakesBeforeFenceOf('normalizer'),
  wakesBeforeFenceOf('deduplicator'),
  rebalanceInFlight,
  rebalanceStorm,
  rollingRestart,
  steadyLoad,
  slotCountChange,
]
