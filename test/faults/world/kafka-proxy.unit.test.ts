import t, { type Test } from 'tap'
import { freePort } from '../../../deploy/local/free-ports.ts'
import { waitFor } from '../../support/wait-for.ts'
import type { EndTxn } from './kafka-frames.ts'
import { createKafkaProxy } from './kafka-proxy.ts'
import { startClient, startServer } from './raw-sockets.ts'
import { answerFrame, endTxnFrame, requestFrame } from './written-frames.ts'

/** Two brokers that keep what they hear and say only what the test lets them say. */
async function setUp(t: Test) {
  const brokers = [await startServer(t), await startServer(t)] as const
  const proxyPorts = [await freePort(), await freePort()] as const
  const nodes = brokers.map(({ port }, index) => {
    return { id: index + 1, port: 0, controllerPort: 0, proxied: { port, proxyPort: proxyPorts[index] as number } }
  })
  const proxy = await createKafkaProxy(nodes)
  t.teardown(proxy.stop)
  /** A client of a node that has said who it is. */
  const connectAs = async (clientId: string, node = 1) => {
    const server = brokers[node - 1] as (typeof brokers)[number]
    const known = server.connections.length
    const client = await startClient(t, proxyPorts[node - 1] as number)
    const hello = metadata(clientId)
    client.socket.write(hello)
    const peer = await waitFor(
      'the broker to be asked',
      () => server.connections[known]?.bytes().equals(hello) && server.connections[known],
    )
    return { client, peer, heard: () => peer.bytes().subarray(hello.length) }
  }
  return { proxy, connectAs, proxyPorts }
}

const metadata = (clientId: string, correlationId = 0) =>
  requestFrame({ apiKey: 3, apiVersion: 6, correlationId, clientId }, Buffer.from('all topics'))
const endTxn: EndTxn = { transactionalId: 'normalizer.0', producerId: 9n, producerEpoch: 4, committed: true }

t.test('each connection is known by its client id, and where it leads', async (t) => {
  const { proxy, connectAs, proxyPorts } = await setUp(t)
  t.equal(proxy.brokers, proxyPorts.map((port) => `127.0.0.1:${port}`).join(','))
  await connectAs('gateway', 1)
  await connectAs('normalizer', 2)
  t.same(proxy.connections(), [
    { clientId: 'gateway', broker: 1 },
    { clientId: 'normalizer', broker: 2 },
  ])
  t.same(proxy.connections({ clientId: 'gateway' }), [{ clientId: 'gateway', broker: 1 }])
})

t.test('a cut meets one client at one broker, there and to come; healed, it is welcome', async (t) => {
  const { proxy, connectAs, proxyPorts } = await setUp(t)
  const [cut, elsewhere, other] = [
    await connectAs('normalizer', 1),
    await connectAs('normalizer', 2),
    await connectAs('gateway', 1),
  ]
  const who = { clientId: 'normalizer', broker: 1 }
  proxy.inject('cut', who)
  await waitFor('the reset', cut.client.closed)
  const late = await startClient(t, proxyPorts[0] as number)
  late.socket.write(metadata('normalizer'))
  await waitFor('the second reset', late.closed)
  for (const { client, heard } of [elsewhere, other]) {
    client.socket.write('\0\0\0\x0eabcdefgh\xff\xffabcd', 'latin1')
    await waitFor('the others to be heard', () => heard().length === 18)
  }
  proxy.heal(who)
  await connectAs('normalizer', 1)
})

t.test('of two faults the last one counts, and each is healed by its own name', async (t) => {
  const { proxy, connectAs } = await setUp(t)
  const { client, heard } = await connectAs('gateway')
  proxy.inject({ delayMs: 60_000 })
  proxy.inject('stall', { clientId: 'gateway' })
  client.socket.write(metadata('gateway', 1))
  proxy.heal({})
  t.same(proxy.connections(), [{ clientId: 'gateway', broker: 1 }])
  proxy.heal({ clientId: 'gateway' })
  await waitFor('the request', () => heard().length > 0)
})

t.test('a held EndTxn arrives after its client has gone, with what came behind it, and its answer is told', async (t) => {
  const { proxy, connectAs } = await setUp(t)
  const { client, peer, heard } = await connectAs('normalizer')
  const held = proxy.holdEndTxn({ clientId: 'normalizer', where: ({ committed }) => committed })

  const abort = endTxnFrame({ ...endTxn, committed: false }, { correlationId: 1 })
  const commit = endTxnFrame(endTxn, { correlationId: 2 })
  const behind = metadata('normalizer', 3)
  // In one packet and a half.
  const bytes = Buffer.concat([abort, commit, behind])
  client.socket.write(bytes.subarray(0, abort.length + 20))
  await waitFor('the abort, which nobody holds', () => heard().length > 0)
  client.socket.write(bytes.subarray(abort.length + 20))
  t.same(await held.caught, { ...endTxn, broker: 1 })
  t.same(heard(), abort, 'the commit and what came after it wait')

  proxy.inject('cut', { clientId: 'normalizer' })
  await waitFor('the client to be gone', client.closed)
  const successor = await connectAs('gateway')
  t.same(proxy.connections(), [{ clientId: 'gateway', broker: 1 }])
  t.notOk(peer.closed(), 'the broker does not know')
  t.same(heard(), abort)

  held.release()
  await waitFor('all of it', () => heard().equals(bytes))
  peer.socket.write(answerFrame(1, 0))
  const late = answerFrame(2, 47)
  peer.socket.write(late.subarray(0, 9))
  peer.socket.write(late.subarray(9))
  t.equal(await held.errorCode, 47)
  await waitFor('the connection to end at last', peer.closed)
  t.notOk(successor.client.closed())
})

t.test('only the next EndTxn is held; a broker that leaves without an answer is told so', async (t) => {
  const { proxy, connectAs } = await setUp(t)
  const { client, peer, heard } = await connectAs('normalizer')
  const held = proxy.holdEndTxn()
  client.socket.write(endTxnFrame(endTxn, { correlationId: 1 }))
  await held.caught
  held.release()
  const second = endTxnFrame(endTxn, { correlationId: 2 })
  client.socket.write(second)
  await waitFor('both', () => heard().length === 2 * second.length)
  peer.socket.end()
  await t.rejects(held.errorCode, /Node 1 closed the connection/)

  const never = proxy.holdEndTxn()
  never.release()
  await t.rejects(never.caught, /Released before/)
})
