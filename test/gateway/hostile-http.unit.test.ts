/** Row I21 of the hostile input matrix: what is no HTTP/1.1, or no POST of plain JSON. */
import t from 'tap'
import { alipayPlusPath, alipayPlusRequest, bluePayRequest, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { headersOf, requestBytes, sendRaw, speak } from './raw-http.ts'

const request = () => {
  const signed = alipayPlusRequest()
  return requestBytes({ target: signed.path, headers: headersOf(signed), body: signed.body })
}

t.test('I21 what is no HTTP/1.1 request of one notification: 4xx, and the connection is closed', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const signed = alipayPlusRequest()
  const headers = headersOf(signed)
  const raw = (more: [string, string][], version?: string) =>
    requestBytes({ target: signed.path, headers: [...headers, ...more], body: signed.body, ...(version ? { version } : {}) })
  const cases: Record<string, [Buffer | string, number]> = {
    'HTTP/1.0': [raw([], 'HTTP/1.0'), 426],
    'HTTP/0.9': [`POST ${signed.path}\r\n\r\n`, 426],
    'HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    'a TLS hello': [Buffer.from('160301020001', 'hex'), 400],
    'an unknown method': [`FOO ${signed.path} HTTP/1.1\r\nHost: g\r\n\r\n`, 400],
    'no Host': [requestBytes({ target: signed.path, headers: headers.slice(1), body: signed.body }), 400],
    'both lengths': [raw([['Transfer-Encoding', 'chunked']]), 400],
    'two lengths': [raw([['Content-Length', '1']]), 400],
    'a header name with a blank': [raw([['Bad Name', 'x']]), 400],
    'a bare line feed in a value': [raw([['X', 'a\nInjected: b']]), 400],
    'NUL in a value': [raw([['X', 'a\u0000b']]), 400],
    'headers beyond 16 KiB': [raw([['X', 'y'.repeat(17_000)]]), 431],
    'a hundred headers': [raw(Array.from({ length: 100 }, (_, n): [string, string] => [`X-${n}`, 'y'])), 431],
    'a broken chunk': [
      requestBytes({
        target: signed.path,
        headers: [
          ['Host', 'g'],
          ['Transfer-Encoding', 'chunked'],
        ],
        body: Buffer.from('zz\r\n'),
      }),
      400,
    ],
  }
  for (const [name, [bytes, status]] of Object.entries(cases)) {
    const { replies, closed } = await speak(gateway.port, (socket) => socket.write(bytes))
    t.same([replies.map((reply) => reply.status), closed], [[status], true], name)
  }
  t.equal(gateway.published.length, 0)
})

t.test('I21 pipelined requests: the first is served, the one behind it gets 400, and the connection is closed', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const pipelined = await speak(gateway.port, (socket) => socket.write(Buffer.concat([request(), request()])))
  t.same([pipelined.replies.map(({ status }) => status), pipelined.closed], [[200, 400], true])
  const flood = await speak(gateway.port, (socket) => socket.write(Buffer.concat(Array.from({ length: 50 }, request))))
  t.ok(flood.closed && flood.replies.length <= 2, 'a whole pipeline is cut off')
  t.match(
    await gateway.registry.metrics(),
    /connections_cut_total\{reason="pipeline"\} 1\n/,
    'at its third request, not answered one by one',
  )
  const garbage = await speak(gateway.port, (socket) => socket.write(Buffer.concat([request(), Buffer.from('\u0000garbage')])))
  t.ok(garbage.closed && garbage.replies.every((reply) => verdictOf(reply) === 'S SUCCESS'), 'no error is mistaken for an answer')
})

t.test('I21 methods and media types: 405 with Allow, 415, in the provider’s own words', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND']) {
    const reply = await send(gateway, alipayPlusRequest(), method)
    t.same([reply.status, reply.headers.get('allow'), verdictOf(reply)], [405, 'POST', 'F METHOD_NOT_SUPPORTED'], method)
    t.equal(verdictOf(await send(gateway, bluePayRequest(), method)), '405')
  }
  for (const method of ['TRACE', 'HEAD']) {
    const { reply } = await sendRaw(
      gateway.port,
      Buffer.from(`${method} ${alipayPlusPath} HTTP/1.1\r\nHost: g\r\nX-Echo: me\r\nConnection: close\r\n\r\n`),
    )
    t.match(reply ?? { status: 405, body: '' }, { status: 405 })
    t.notOk(reply?.body.includes('X-Echo'), 'nothing is echoed')
  }
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/jsonx',
    'multipart/form-data',
  ]
  for (const type of types) {
    for (const signed of [alipayPlusRequest(), bluePayRequest()]) {
      t.equal((await send(gateway, { ...signed, headers: { ...signed.headers, 'Content-Type': type } })).status, 415, type)
    }
  }
  for (const type of ['application/json', 'Application/JSON;charset=utf-8', 'application/json; charset="UTF-8"']) {
    const signed = alipayPlusRequest()
    t.equal((await send(gateway, { ...signed, headers: { ...signed.headers, 'Content-Type': type } })).status, 200, type)
  }
  const untyped = alipayPlusRequest()
  const { reply } = await sendRaw(
    gateway.port,
    requestBytes({
      target: untyped.path,
      headers: headersOf(untyped).filter(([name]) => name !== 'Content-Type'),
      body: untyped.body,
    }),
  )
  t.equal(reply?.status, 200, 'Alipay+ may leave it out')
})
