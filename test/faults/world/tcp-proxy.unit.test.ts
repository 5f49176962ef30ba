import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { waitFor } from '../../support/wait-for.ts'
import { startClient, startServer } from './raw-sockets.ts'
import { createTcpProxy } from './tcp-proxy.ts'

async function setUp(t: Test) {
  const server = await startServer(t)
  const proxy = await createTcpProxy({ serverPort: server.port })
  t.teardown(proxy.stop)
  const connectThrough = async () => {
    const known = server.connections.length
    const client = await startClient(t, proxy.port)
    const peer = await waitFor('the server to be reached', () => server.connections[known])
    return { client, peer }
  }
  return { server, proxy, connectThrough }
}

/** One after the other, so that what did not come before this has not come. */
const said = async (from: { socket: { write: (text: string) => void } }, to: { text: () => string }, text: string) => {
  from.socket.write(text)
  await waitFor(`"${text}" to arrive`, () => to.text().endsWith(text))
}

t.test('both ways, both ends, and the count of connections', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const { client, peer } = await connectThrough()
  await said(client, peer, 'question')
  await said(peer, client, 'answer')
  t.equal(proxy.connections(), 1)
  client.socket.end()
  await waitFor('the server to see the end', peer.closed)
  const second = await connectThrough()
  second.peer.socket.end('last words')
  await waitFor('the client to see the end', second.client.closed)
  t.equal(second.client.text(), 'last words')
  await waitFor('nothing to be left', () => proxy.connections() === 0)
})

t.test('cut: connections are reset, new ones too, and after it is healed they are welcome', async (t) => {
  const { proxy, connectThrough, server } = await setUp(t)
  const { client, peer } = await connectThrough()
  proxy.inject('cut')
  await waitFor('the reset', client.closed)
  t.equal(client.error(), 'ECONNRESET')
  await waitFor('the server to lose it', peer.closed)
  const late = await startClient(t, proxy.port)
  await waitFor('the second reset', late.closed)
  t.equal(late.error(), 'ECONNRESET')
  t.equal(server.connections.length, 1, 'the server never heard of it')
  proxy.heal()
  const again = await connectThrough()
  await said(again.client, again.peer, 'hello')
})

t.test('refuse: who is connected stays, nobody comes in', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const { client, peer } = await connectThrough()
  proxy.inject('refuse')
  const late = await startClient(t, proxy.port)
  await waitFor('the refusal', late.closed)
  await said(client, peer, 'still here')
})

t.test('half-open: both sides stay connected and hear nothing, for good; who comes afterwards is heard', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const { client, peer } = await connectThrough()
  proxy.inject('half-open')
  const during = await connectThrough()
  for (const { socket } of [client, peer, during.client, during.peer]) socket.write('lost')
  peer.socket.end()
  proxy.heal()
  const after = await connectThrough()
  await said(after.client, after.peer, 'after')
  for (const end of [client, peer, during.client, during.peer]) {
    t.equal(end.text(), '')
    t.notOk(end.closed())
  }
})

t.test('stall: nothing arrives, not even an end, until it is healed; then all of it in order', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const { client, peer } = await connectThrough()
  const other = await connectThrough()
  proxy.inject('stall')
  client.socket.write('one ')
  client.socket.end('two')
  await waitFor('both to be sent', () => client.socket.writableFinished)
  await connectThrough()
  t.same([peer.text(), peer.closed(), client.closed()], ['', false, false])
  proxy.heal()
  await waitFor('the end', peer.closed)
  t.equal(peer.text(), 'one two')
  await said(other.client, other.peer, 'and on')
})

t.test('slow: each way takes its time, in order', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const { client, peer } = await connectThrough()
  proxy.inject({ delayMs: 150 })
  const begin = performance.now()
  for (const word of ['a', 'b', 'c']) {
    client.socket.write(word)
    await sleep(5)
  }
  await waitFor('all', () => peer.text() === 'abc')
  t.ok(performance.now() - begin >= 150)
  await said(peer, client, 'back')
  t.ok(performance.now() - begin >= 300)

  proxy.inject({ bytesPerSecond: 100_000 })
  const throttled = performance.now()
  client.socket.write(Buffer.alloc(30_000, 'x'))
  await waitFor('30,000 bytes', () => peer.text().length === 30_003)
  t.ok(performance.now() - throttled >= 290, 'at 100,000 a second')
})

t.test('retarget: a failover, seen as a reset, behind the same port', async (t) => {
  const { proxy, connectThrough } = await setUp(t)
  const second = await startServer(t, 'the other one')
  const { client } = await connectThrough()
  proxy.retarget(second.port)
  await waitFor('the reset', client.closed)
  const moved = await startClient(t, proxy.port)
  await waitFor('the greeting', () => moved.text() === 'the other one')
  proxy.reset()
  await waitFor('the reset', moved.closed)
})

t.test('a server that is not there is a closed connection', async (t) => {
  const proxy = await createTcpProxy({ serverPort: 1 })
  t.teardown(proxy.stop)
  const client = await startClient(t, proxy.port)
  await waitFor('the end', client.closed)
})
