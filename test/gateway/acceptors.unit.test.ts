/** Newcomers while the event loop is busy; libuv takes one connection per listening socket and turn. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { openAcceptors } from '../../services/gateway/acceptors.ts'

const newcomers = 64
const turnMs = 40
const turns = 32

t.test('in turns that are long, many newcomers get in', async (t) => {
  const server = createServer()
  let taken = 0
  server.on('connection', (socket) => {
    taken++
    socket.on('error', () => {})
  })
  const { port, servers } = await openAcceptors(server, '127.0.0.1', 0, 128)
  const script = `for (let n = 0; n < ${newcomers}; n++) require('node:net').connect(${port}, '127.0.0.1').on('error', () => {})`
  const others = spawn(process.execPath, ['-e', script])
  t.teardown(() => {
    others.kill('SIGKILL')
    for (const each of servers) each.close()
    server.closeAllConnections()
  })
  while (taken === 0) await new Promise((resolve) => setImmediate(resolve))
  for (let turn = 0; turn < turns; turn++) {
    for (const until = performance.now() + turnMs; performance.now() < until; );
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal(taken, newcomers)
})

t.test('a port that another process has is refused, and nothing stays open', async (t) => {
  const first = createServer()
  const { port, servers } = await openAcceptors(first, '127.0.0.1', 0, 128)
  await t.rejects(openAcceptors(createServer(), '127.0.0.1', port, 128), { code: 'EADDRINUSE' })
  await Promise.all(servers.map((each) => new Promise((resolve) => each.close(resolve))))
  await t.rejects(new Promise((resolve, reject) => connect(port, '127.0.0.1').once('connect', resolve).once('error', reject)), {
    code: 'ECONNREFUSED',
  })
})
