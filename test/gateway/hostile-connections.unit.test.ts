/** Row I16 of the hostile input matrix: slow and greedy connections. */
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { alipayPlusPath, alipayPlusRequest, bluePayRequest, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { headersOf, requestBytes, sendRaw, speak } from './raw-http.ts'
import { keyPair } from './signing.ts'

const request = () => {
  const signed = alipayPlusRequest()
  return requestBytes({ target: signed.path, headers: headersOf(signed), body: signed.body })
}
const opened = (socket: Socket) => new Promise<void>((resolve) => socket.once('connect', resolve))
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())))

/** Opens a connection that says `text` and then nothing. */
async function hold(port: number, text: string | Buffer = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  await opened(socket)
  if (text.length > 0) socket.write(text)
  return socket
}

async function honestlyServed(t: { equal: (a: unknown, b: unknown, why: string) => unknown }, gateway: { port: number }) {
  const { reply } = await sendRaw(gateway.port, request())
  t.equal(reply && verdictOf(reply), 'S SUCCESS', 'an honest sender is served')
}

t.test('I16 a body beyond 64 KiB: 413, with a length, in chunks, or announced; the last allowed byte is accepted', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const sized = (bytes: number) => alipayPlusRequest({ body: Buffer.alloc(bytes, 0x20) })
  t.equal(verdictOf(await send(gateway, sized(65_536))), 'S SUCCESS')
  for (const signed of [sized(65_537), sized(66_560), { ...bluePayRequest(), body: Buffer.alloc(65_537) }]) {
    const reply = await send(gateway, signed)
    t.same([reply.status, verdictOf(reply)], [413, signed.path === alipayPlusPath ? 'F PARAM_ILLEGAL' : '413'])
  }
  const headers: [string, string][] = [
    ...headersOf(sized(0)).filter(([name]) => name !== 'Content-Length'),
    ['Transfer-Encoding', 'chunked'],
  ]
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
  const head = requestBytes({ target: alipayPlusPath, headers })
  const chunked = await sendRaw(gateway.port, Buffer.concat([head, Buffer.from(`${chunk.repeat(5)}0\r\n\r\n`)]))
  t.equal(chunked.reply?.status, 413, 'no length given')
  const announced = headersOf(sized(0)).map(([name, value]): [string, string] => [
    name,
    name === 'Content-Length' ? '10000000000' : value,
  ])
  t.equal(
    (await sendRaw(gateway.port, requestBytes({ target: alipayPlusPath, headers: announced }))).reply?.status,
    413,
    'refused unread',
  )
  t.equal(gateway.published.length, 1)
  t.equal(gateway.intake.inFlightBytes(), 0)
})

t.test('I16 slow headers, slow bodies and silence: 408 and closed, within the deadlines', async (t) => {
  const gateway = await startGateway({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } })
  t.teardown(gateway.close)
  const head = request().subarray(0, -10)
  const slow = { silence: '', 'half a header': 'POST / HT', 'half the headers': head.subarray(0, 100), 'half a body': head }
  for (const [name, text] of Object.entries(slow)) {
    const { replies, closed } = await speak(gateway.port, (socket) => socket.write(text))
    t.ok(closed && replies.every(({ status }) => status === 408), name)
    if (name !== 'silence') t.equal(replies.length, 1, `${name}: told why`)
  }
  t.equal(gateway.intake.inFlightBytes(), 0)
  await honestlyServed(t, gateway)
})

t.test('I16 a body in chunks of one byte costs hundreds of times its size: cut off', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const headers: [string, string][] = [
    ['Host', 'g'],
    ['Transfer-Encoding', 'chunked'],
    ['Content-Type', 'application/json'],
  ]
  const { replies, closed } = await speak(gateway.port, (socket) => {
    socket.write(requestBytes({ target: alipayPlusPath, headers }))
    socket.write('1\r\n{\r\n'.repeat(20_000))
  })
  t.same([replies.length, closed], [0, true])
  t.equal(gateway.intake.inFlightBytes(), 0)
})

t.test('I16 sockets held open: when connections run out, the longest waiting goes, and an honest sender gets in', async (t) => {
  const gateway = await startGateway({ limits: { maxConnections: 40 } })
  t.teardown(gateway.close)
  const held = []
  for (let n = 0; n < 60; n++)
    held.push(await hold(gateway.port, n % 3 === 0 ? 'POST / HTTP/1.1\r\nX: ' : n % 3 === 1 ? request().subarray(0, -5) : ''))
  await honestlyServed(t, gateway)
  await Promise.all(held.slice(0, 20).map(closed))
  t.equal(held.slice(-30).filter((socket) => socket.destroyed).length, 0, 'not the latest ones')
  t.match(await gateway.registry.metrics(), /gateway_connections_cut_total\{reason="too-many"\} 2\d/)
  for (const socket of held) socket.destroy()
})

t.test('I16 connections that were served and then stay open can go, too; requests that wait for Kafka cannot', async (t) => {
  const kafka = Promise.withResolvers<void>()
  let waiting = 0
  const gateway = await startGateway({
    limits: { maxConnections: 10 },
    publish: async () => {
      waiting++
      await kafka.promise
      return { partition: 0, offset: '0' }
    },
  })
  t.teardown(gateway.close)
  const forged = alipayPlusRequest({ pair: keyPair('forger') })
  const answered = requestBytes({ target: forged.path, headers: headersOf(forged), body: forged.body })
  const idle = []
  for (let n = 0; n < 10; n++) {
    const socket = await hold(gateway.port, answered)
    await new Promise((resolve) => socket.once('data', resolve))
    idle.push(socket)
  }
  const inHand = Array.from({ length: 10 }, () => sendRaw(gateway.port, request()))
  await Promise.all(idle.map(closed))
  while (waiting < 10) await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal((await sendRaw(gateway.port, request())).reply, undefined, 'there is nobody to close for an eleventh')
  kafka.resolve()
  const replies = await Promise.all(inHand)
  t.same(
    replies.map(({ reply }) => reply && verdictOf(reply)),
    Array(10).fill('S SUCCESS'),
  )
})

t.test('I16 one address cannot take the connections of all', async (t) => {
  const gateway = await startGateway({ limits: { maxConnectionsPerAddress: 5 } })
  t.teardown(gateway.close)
  const other = connect({ port: gateway.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  await opened(other)
  const held = []
  for (let n = 0; n < 12; n++) held.push(await hold(gateway.port))
  await Promise.all(held.slice(0, 7).map(closed))
  t.equal(other.destroyed, false)
  t.equal(held.slice(7).filter((socket) => socket.destroyed).length, 0)
  for (const socket of [other, ...held]) socket.destroy()
})

t.test('I16 unfinished bodies past the memory limit: the slowest are cut off, and an honest sender is served', async (t) => {
  const gateway = await startGateway({ maxInFlightBytes: 1024 * 1024, limits: { requestTimeoutMs: 600_000 } })
  t.teardown(gateway.close)
  const almost = requestBytes({
    target: alipayPlusPath,
    headers: [
      ['Host', 'g'],
      ['Content-Length', '65536'],
    ],
    body: Buffer.alloc(65_000),
  })
  const held = []
  for (let n = 0; n < 40; n++) held.push(await hold(gateway.port, almost))
  await Promise.all(held.slice(0, 20).map(closed))
  await honestlyServed(t, gateway)
  t.ok(gateway.intake.inFlightBytes() <= 1024 * 1024 + 65_536 + 16_384, `${gateway.intake.inFlightBytes()} bytes`)
  for (const socket of held) socket.destroy()
})
