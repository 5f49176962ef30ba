/** The network between a service and Kafka or Redis: cut, half-open, slow; and an EndTxn that arrives much too late. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceName, serviceNames } from '../../../deploy/local/pipeline.ts'
import { groupId } from '../../../shared/contracts/topics.ts'
import { type Fault, mustBite, type Scene, untilAllMove } from '../fault.ts'
import type { NetworkFault } from '../world/pump.ts'

const outageMs = 12_000

/** From one service to one broker, while both reach everybody else. */
const toBroker = (service: ServiceName, fault: NetworkFault, name: string, about: string): Fault => ({
  name: `network/${service}-broker/${name}`,
  about: `${about} between every ${service} and one broker for ${outageMs / 1000} s`,
  async run(scene) {
    const { proxy, random } = scene
    // A broker that leads nothing just now may have no connection at all.
    const connected = new Set(proxy.connections({ clientId: service }).flatMap(({ broker = [] }) => broker))
    mustBite(connected.size > 0, `no ${service} was connected to any broker`)
    const broker = random.pick([...connected])
    const who = { clientId: service, broker }
    const touched = proxy.connections(who).length
    proxy.inject(fault, who)
    await sleep(outageMs)
    proxy.heal(who)
    return { proof: `${touched} connections to broker ${broker}`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
})

/** From one service to the whole cluster. */
const toKafka = (service: ServiceName): Fault => ({
  name: `network/${service}-kafka/cut`,
  about: `every connection of every ${service} to Kafka is reset, and new ones refused, for ${outageMs / 1000} s`,
  async run(scene) {
    const { proxy } = scene
    const who = { clientId: service }
    const touched = proxy.connections(who).length
    mustBite(touched > 0, `no ${service} was connected`)
    proxy.inject('cut', who)
    await sleep(outageMs)
    proxy.heal(who)
    return { proof: `${touched} connections reset`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
})

const resets: Fault = {
  name: 'network/kafka/resets',
  about: 'all connections of all services to all brokers are reset, every half second to two seconds',
  async run(scene) {
    const { proxy, random } = scene
    let touched = 0
    for (let time = 0; time < 4 * scene.repeat; time++) {
      touched += proxy.connections().length
      proxy.reset()
      await sleep(random.integer(500, 2_000))
    }
    mustBite(touched > 0, 'no connection')
    return { proof: `${touched} connections reset`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
}

const slow: Fault = {
  name: 'network/kafka/slow',
  about: 'every byte to and from Kafka takes 100 ms longer, for 15 s',
  async run(scene) {
    const { proxy, watch } = scene
    const since = Date.now()
    proxy.inject({ delayMs: 100 })
    await sleep(15_000)
    const { delayed } = watch.between(since + 3_000, Date.now())
    proxy.heal()
    mustBite(delayed > 0, 'nothing was delayed')
    return { proof: `${delayed} records took longer than a second`, recoveriesMs: [await untilAllMove(scene, Date.now())] }
  },
}

/**
 * The transaction's end is held on its way for longer than its owner waits for an answer. The owner opens anew, which fences what the held one
 * belongs to; it then arrives in the middle of later transactions. Without fencing it would end one of those half-way.
 */
const lateEndTxn: Fault = {
  name: 'network/late-end-txn',
  about: 'an EndTxn arrives after its sender has given it up and gone on with new transactions',
  smoke: true,
  async run(scene) {
    const { proxy, prefix } = scene
    const recoveriesMs: number[] = []
    const codes: number[] = []
    for (let time = 0; time < scene.repeat; time++) {
      const isOurs = ({ transactionalId, committed }: { transactionalId: string; committed: boolean }) =>
        committed && transactionalId.startsWith(groupId('deduplicator', prefix))
      const held = proxy.holdEndTxn({ clientId: 'deduplicator', where: isOurs })
      const { transactionalId } = await held.caught
      const slot = Number(transactionalId.split('.').at(-1))
      const caughtAt = Date.now()
      recoveriesMs.push(await untilSlotMoves(scene, slot, caughtAt + 500))
      held.release()
      codes.push(await held.errorCode)
      await untilSlotMoves(scene, slot, Date.now())
    }
    mustBite(
      codes.every((code) => code !== 0),
      `a late EndTxn was accepted (error codes ${codes.join(', ')})`,
    )
    return { proof: `refused with error ${codes.join(', ')}`, recoveriesMs }
  },
}

async function untilSlotMoves({ fleet }: Scene, slot: number, since: number): Promise<number> {
  const { at } = await fleet.until(
    `slot ${slot} to go on`,
    since,
    (line) => line.event === 'batch-processed' && line.member.service === 'deduplicator' && line.slot === slot,
    120_000,
  )
  return at - since
}

export const networkFaults: Fault[] = [
  ...serviceNames.map((service) => toBroker(service, 'half-open', 'half-open', 'half-open connections')),
  ...serviceNames.map(toKafka),
  toBroker('deduplicator', 'stall', 'stall', 'packets that come only later'),
  toBroker('gateway', 'cut', 'cut', 'cut connections'),
  resets,
  slow,
  lateEndTxn,
]
