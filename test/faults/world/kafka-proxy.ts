/**
 * A proxy before every broker, which knows whose connection each is (by the client id in each request), so that one service can be cut off
 * from one broker; and which can hold an EndTxn back until its sender has long been replaced.
 */
import type { Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { brokerList, type KafkaNode } from '../../../deploy/local/kafka-config.ts'
import {
  apiKeyOf,
  correlationIdOf,
  createFrameSplitter,
  type EndTxn,
  endTxnErrorCode,
  endTxnKey,
  readEndTxn,
  readRequest,
} from './kafka-frames.ts'
import { createLink, type Link, listen } from './link.ts'
import type { NetworkFault } from './pump.ts'

/** Whose connections, and to which node; what is not said is any. */
export type Who = { clientId?: string; broker?: number }

export type HeldEndTxn = {
  /** Resolves once one is held. */
  caught: Promise<EndTxn & { broker: number }>
  /** Sends it on, on the connection it came on, though its client may have hung up. Before one is caught: holds none any more. */
  release: () => void
  /** The broker's error code, 0 for accepted (`kafka-frames.ts`). Rejects if the connection ends before the answer. */
  errorCode: Promise<number>
}

export type KafkaProxy = {
  /** Where clients begin that shall stay behind the proxy. */
  brokers: string
  /** From now on, for connections there are and to come. Of several faults that meet a connection, the last one injected counts. */
  inject: (fault: NetworkFault, who?: Who) => void
  /** Ends the faults injected for exactly these; without `who` all. */
  heal: (who?: Who) => void
  /** Resets the connections there are; new ones are welcome. */
  reset: (who?: Who) => void
  /** Holds the next EndTxn back that fits, and what its connection sends after it. */
  holdEndTxn: (who?: Who & { where?: (endTxn: EndTxn) => boolean }) => HeldEndTxn
  /** Those there are; without a client id as long as they have sent nothing. */
  connections: (who?: Who) => Who[]
  stop: () => Promise<void>
}

/** A connection: whose it is, as far as is known, and to which node. */
type Member = { about: Who & { broker: number }; link: Link }
type Held = { endTxn: EndTxn & { broker: number }; sendOn: () => void; errorCode: Promise<number> }
type Hold = { who: Who; where: (endTxn: EndTxn) => boolean; take: (held: Held) => void }

/** Listens on the `proxyPort` of every node and leads to its second listener. The nodes need not run yet. */
export async function createKafkaProxy(nodes: KafkaNode[]): Promise<KafkaProxy> {
  const members = new Set<Member>()
  const holds = new Set<Hold>()
  let faults: { fault: NetworkFault; who: Who }[] = []
  const become = (next: typeof faults) => {
    faults = next
    for (const { link } of members) link.apply()
  }
  const faultOf = (about: Who) => faults.findLast(({ who }) => fits(about, who))?.fault
  const isRefused = (about: Who) => faultOf(about) === 'cut' || faultOf(about) === 'refuse'

  const accept = (broker: number, serverPort: number, client: Socket) => {
    const about: Member['about'] = { broker }
    if (isRefused(about)) return client.resetAndDestroy()
    const requestsOf = createFrameSplitter()
    const answersOf = createFrameSplitter()
    const awaited = new Map<number, { resolve: (answer: Buffer) => void; reject: (error: Error) => void }>()
    const link = createLink({
      client,
      serverPort,
      faultOf: () => faultOf(about),
      onRequest(bytes) {
        for (const frame of requestsOf(bytes)) {
          if (about.clientId === undefined) {
            about.clientId = readRequest(frame).clientId
            if (isRefused(about)) return link.reset()
          }
          if (apiKeyOf(frame) === endTxnKey) pass(frame)
          else link.toServer.push(frame)
        }
      },
      onAnswer(bytes) {
        for (const frame of answersOf(bytes)) {
          awaited.get(correlationIdOf(frame))?.resolve(frame)
          link.toClient.push(frame)
        }
      },
      onClosed() {
        members.delete(member)
        const lost = new Error(`Node ${broker} closed the connection before it answered the held EndTxn.`)
        for (const { reject } of awaited.values()) reject(lost)
      },
    })
    const member = { about, link }
    members.add(member)
    link.apply()

    /** Sends an EndTxn on, or gives it to who waits for it. */
    const pass = (frame: Buffer) => {
      const request = readRequest(frame)
      const endTxn = readEndTxn(request)
      const hold = [...holds].find(({ who, where }) => fits(about, who) && where(endTxn))
      const inFlight = link.toServer.push(frame, hold !== undefined)
      if (!hold) return
      holds.delete(hold)
      const letGo = link.keepOpen()
      const answer = new Promise<Buffer>((resolve, reject) => awaited.set(request.correlationId, { resolve, reject })).finally(
        () => {
          awaited.delete(request.correlationId)
          letGo()
        },
      )
      const sendOn = () => {
        inFlight.held = false
        link.toServer.wake()
      }
      hold.take({
        endTxn: { ...endTxn, broker },
        sendOn,
        errorCode: answer.then((frame) => endTxnErrorCode(request.apiVersion, frame)),
      })
    }
  }

  const listeners = await Promise.all(
    nodes.map(({ id, proxied }) => {
      if (!proxied) throw new Error(`Node ${id} has no second listener: give it \`proxied\`.`)
      return listen(proxied.proxyPort, (client) => accept(id, proxied.port, client))
    }),
  )
  return {
    brokers: brokerList(listeners),
    inject: (fault, who = {}) => become([...faults, { fault, who }]),
    heal: (who) => become(who ? faults.filter((fault) => !isDeepStrictEqual(fault.who, who)) : []),
    reset(who = {}) {
      for (const { about, link } of members) if (fits(about, who)) link.reset()
    },
    holdEndTxn({ where = () => true, ...who } = {}) {
      const caught = Promise.withResolvers<Held>()
      const hold = { who, where, take: caught.resolve }
      holds.add(hold)
      const endTxn = caught.promise.then((held) => held.endTxn)
      const errorCode = caught.promise.then((held) => held.errorCode)
      // Who only wants one of the two is not to fail for the other.
      for (const promise of [endTxn, errorCode]) promise.catch(() => {})
      return {
        caught: endTxn,
        errorCode,
        release() {
          if (holds.delete(hold)) caught.reject(new Error('Released before an EndTxn came.'))
          else void caught.promise.then(({ sendOn }) => sendOn()).catch(() => {})
        },
      }
    },
    connections: (who = {}) =>
      [...members].filter(({ about, link }) => link.isConnected() && fits(about, who)).map(({ about }) => about),
    async stop() {
      for (const { link } of members) link.destroy()
      await Promise.all(listeners.map((listener) => listener.stop()))
    },
  }
}

const fits = (about: Who, { clientId, broker }: Who) =>
  (clientId === undefined || clientId === about.clientId) && (broker === undefined || broker === about.broker)
