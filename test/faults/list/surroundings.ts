/** What surrounds a process: the clock, the disk, and what the topics still have. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOwned } from '../../../deploy/local/owned-process.ts'
import { mainOf, nodeBinary } from '../../../deploy/local/run-operator.ts'
import { makeTopics } from '../../../deploy/local/topics.ts'
import { groupId } from '../../../shared/contracts/topics.ts'
import { waitFor } from '../../support/wait-for.ts'
import { type Fault, isOf, mustBite, untilAllMove, untilStageMoves } from '../fault.ts'
import { fakeTime } from '../scene/fake-time.ts'
import type { Line } from '../scene/fleet.ts'

/** The deduplicator stops when its clock and Redis's are an hour apart, and goes on by itself when they agree again. */
const deduplicatorClock = (hours: number): Fault => ({
  name: `clock/deduplicator/${hours > 0 ? 'ahead' : 'behind'}`,
  about: `every deduplicator's clock is ${Math.abs(hours)} hours ${hours > 0 ? 'ahead' : 'behind'}: it stops and says so`,
  async run(scene) {
    const { fleet } = scene
    const since = Date.now()
    fleet.set('deduplicator', fakeTime(hours, scene.say))
    for (const { process } of fleet.members('deduplicator')) await process.stop()
    const saysSo = (line: Line) => isOf('deduplicator', 'failed')(line) && /clock/.test(String(line.reason))
    await fleet.until('a deduplicator to stop', since, saysSo)
    await fleet.until('another one to stop', Date.now(), saysSo)
    const judged = fleet.count(since, (line) => isOf('deduplicator', 'batch-processed')(line) && line.clockOffMs !== 0)
    mustBite(judged === 0, `${judged} batches were judged by the wrong clock`)
    fleet.set('deduplicator', {})
    const healedAt = Date.now()
    for (const { process } of fleet.members('deduplicator')) await process.stop()
    return {
      proof: 'each process ended saying that the clocks disagree, none judged',
      recoveriesMs: [await untilStageMoves(scene, 'deduplicator', healedAt)],
    }
  },
})

/** Nothing that the normalizer and merchant-sync write depends on their clocks; the gateway judges how old a request is. */
const otherClocks: Fault = {
  name: 'clock/others/ahead',
  about: 'the clocks of gateway, normalizer and merchant-sync are an hour ahead: all goes on',
  async run(scene) {
    const { fleet } = scene
    const services = ['gateway', 'normalizer', 'merchant-sync'] as const
    for (const service of services) {
      fleet.set(service, fakeTime(1, scene.say))
      for (const { process } of fleet.members(service)) await process.stop()
    }
    const since = Date.now()
    await sleep(10_000)
    const { load } = scene
    const acknowledged = await load.untilAcknowledged(since + 3_000)
    const ahead = fleet.count(since, ({ event, clockOffMs }) => event === 'batch-processed' && clockOffMs > 0)
    mustBite(ahead > 0, 'no batch carries the wrong time')
    for (const service of services) {
      fleet.set(service, {})
      for (const { process } of fleet.members(service)) await process.stop()
    }
    return {
      proof: `${ahead} batches committed an hour ahead`,
      recoveriesMs: [await untilAllMove(scene, Math.max(acknowledged, Date.now()))],
    }
  },
}

const diskFull: Fault = {
  name: 'broker/disk-full',
  about: 'one node cannot write to its disk any more: it leaves, the others carry on, and it comes back with space',
  targetMs: 30_000,
  async run(scene) {
    const { brokers, random } = scene
    const id = random.pick(brokers.ids)
    const since = Date.now()
    await brokers.fillDisk(id)
    const recoveriesMs = [await untilAllMove(scene, since + 1)]
    await brokers.ensure(id)
    await brokers.untilInSync()
    return { proof: `node ${id} could not write any more and ended`, recoveriesMs }
  },
}

/** In topics of its own, since it loses records on purpose. */
const retention: Fault = {
  name: 'retention/passed-a-stopped-normalizer',
  about: 'records leave retention before they are processed: the normalizer stops, names them, and leaves its offset alone',
  smoke: true,
  async run(scene) {
    const { kafka, env, brokers, logDir } = scene
    const prefix = `${scene.prefix}retention-${Date.now()}.`
    const topics = await makeTopics(kafka, { prefix, partitions: 12, own: true })
    const topic = topics.raw.bluepay
    const append = async (count: number) => {
      const producer = kafka.producer()
      await producer.connect()
      const messages = Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: 'not sealed', partition: 0 }))
      await producer.send({ topic, acks: -1, messages }).finally(() => producer.disconnect())
    }
    const normalizer = async () =>
      startOwned({
        name: 'normalizer',
        command: nodeBinary,
        args: [mainOf('normalizer')],
        env: { ...env, TOPIC_PREFIX: prefix, PROBE_PORT: '0' },
        logFile: join(logDir, `retention-${Date.now()}.log`),
      })
    const committed = async () => {
      const [answer] = await brokers.admin.fetchOffsets({ groupId: groupId('normalizer', prefix), topics: [topic] })
      return Number(answer?.partitions.find(({ partition }) => partition === 0)?.offset)
    }
    await append(10)
    const first = await normalizer()
    await waitFor('ten to be committed', async () => (await committed()) >= 10, { timeoutMs: 60_000 })
    await first.stop()
    await append(10)
    await brokers.admin.fetchTopicOffsets(topic)
    await brokers.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '15' }] })
    const second = await normalizer()
    const exit = await Promise.race([second.exited, sleep(60_000).then(() => undefined)])
    if (!exit) await second.stop()
    const said = /offsets 10 to 14 left retention/.exec(second.output())?.[0]
    mustBite(exit?.code === 1 && said !== undefined, `it ended with ${exit?.code} and did not name the range`)
    const offset = await committed()
    if (offset !== 10) throw new Error(`The committed offset moved from 10 to ${offset}`)
    return { proof: `exit code 1, "${said}", and the committed offset is still 10`, recoveriesMs: [] }
  },
}

export const surroundingFaults: Fault[] = [deduplicatorClock(2), deduplicatorClock(-2), otherClocks, diskFull, retention]
