import t from 'tap'
import { createSuspects, type Suspects } from '../../services/gateway/suspects.ts'
import { accountsFile, alipayPlusRequest, startGateway } from './gateway-under-test.ts'
import { headersOf, type RawReply, requestBytes, speak } from './raw-http.ts'

function occupyEventLoop(forMs: number): void {
  for (const until = performance.now() + forMs; performance.now() < until; );
}

/** Overload as it is; making keys for the test is overload, too, so this waits for it to pass. */
async function calm(suspects: Suspects): Promise<Suspects> {
  alipayPlusRequest()
  accountsFile()
  do await new Promise((resolve) => setTimeout(resolve, 200))
  while (suspects.overloaded())
  return suspects
}

t.test('under overload, and only then, who sent broken HTTP lately is dropped unread; others are served', async (t) => {
  const suspects = createSuspects()
  const gateway = await startGateway({ suspects: await calm(suspects) })
  t.teardown(gateway.close)
  const cuts = async () =>
    Number(/gateway_connections_cut_total\{reason="overload"\} (\d+)/.exec(await gateway.registry.metrics())?.[1] ?? 0)
  const from = async (localAddress: string, bytes?: Buffer): Promise<RawReply | undefined> => {
    const { path, headers, body } = alipayPlusRequest()
    const request = bytes ?? requestBytes({ target: path, headers: headersOf({ headers, body }), body })
    return (await speak(gateway.port, (socket) => socket.write(request), { answers: 1, localAddress })).replies[0]
  }
  const [suspect, honest] = ['127.0.0.3', '127.0.0.4']
  t.equal((await from(suspect, Buffer.from('no HTTP\r\n\r\n')))?.status, 400)
  let inTime = await from(suspect)
  while (inTime === undefined && suspects.overloaded()) {
    await calm(suspects)
    inTime = await from(suspect)
  }
  t.equal(inTime?.status, 200, 'a suspect is served while there is time')

  const before = await cuts()
  occupyEventLoop(600)
  const [dropped, served] = await Promise.all([from(suspect), from(honest)])
  t.equal(dropped, undefined)
  t.equal(served?.status, 200)
  t.equal(await cuts(), before + 1)

  let again = await from(suspect)
  while (again === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    again = await from(suspect)
  }
  t.equal(again.status, 200, 'and again when it is over')
})

t.test('a trusted proxy is never a suspect: it speaks for others', async (t) => {
  const gateway = await startGateway({ suspects: await calm(createSuspects()), trustedProxies: '127.0.0.3' })
  t.teardown(gateway.close)
  const { path, headers, body } = alipayPlusRequest()
  const request = requestBytes({ target: path, headers: headersOf({ headers, body }), body })
  const options = { answers: 1, localAddress: '127.0.0.3' }
  await speak(gateway.port, (socket) => socket.write('no HTTP\r\n\r\n'), options)
  occupyEventLoop(600)
  t.equal((await speak(gateway.port, (socket) => socket.write(request), options)).replies[0]?.status, 200)
})
