import t from 'tap'
import { PublishError } from '../../shared/kafka/publisher.ts'
import { alipayPlusPath, alipayPlusRequest, clientId, nowText, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { alipayPlusSignature, answerVerifies, keyPair } from './signing.ts'

const hours = (n: number) => new Date(Date.now() - n * 60 * 60 * 1000).toISOString()

t.test('age: kept up to the window, refused beyond it or from the future, counted after five minutes', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const stale = async () =>
    (await gateway.registry.getSingleMetricAsString('gateway_stale_requests_total')).match(/\} (\d+)$/)?.[1]
  const verdict = async (time: string) => send(gateway, alipayPlusRequest({ time }))
  const kept = [
    nowText(),
    hours(0.05),
    hours(-0.1),
    String(Date.now()),
    nowText().replace('Z', '+00:00'),
    'a time nobody can read',
  ]
  for (const time of kept) t.equal(verdictOf(await verdict(time)), 'S SUCCESS', time)
  t.equal(await stale(), undefined)
  t.equal(verdictOf(await verdict(hours(0.1))), 'S SUCCESS', 'a late retry')
  t.equal(verdictOf(await verdict(hours(71.9))), 'S SUCCESS', 'the oldest that a duplicate can be told from')
  t.equal(await stale(), '2')
  for (const time of [hours(72.1), hours(24 * 400), hours(-0.2)]) {
    const reply = await verdict(time)
    t.equal(verdictOf(reply), 'F PARAM_ILLEGAL', time)
    t.ok(answerVerifies(alipayPlusPath, reply.headers, reply.body, keyPair('answers')), 'signed, because it verified')
  }
  t.equal(gateway.published.length, kept.length + 2)
})

t.test('what did not verify gets one unsigned answer, whatever was wrong', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const good = alipayPlusRequest()
  const without = (name: string) => ({
    ...good,
    headers: Object.fromEntries(Object.entries(good.headers).filter(([key]) => key !== name)),
  })
  const replies = await Promise.all([
    send(gateway, alipayPlusRequest({ pair: keyPair('forger') })),
    send(gateway, alipayPlusRequest({ clientId: 'UNKNOWN' })),
    send(gateway, alipayPlusRequest({ keyVersion: '99' })),
    send(gateway, { ...good, body: Buffer.from('{}') }),
    send(gateway, without('Signature')),
    send(gateway, without('Client-Id')),
    send(gateway, without('Request-Time')),
  ])
  for (const { status, headers, body } of replies) {
    t.same([status, body], [200, replies[0]?.body])
    t.same([...headers.keys()].sort(), ['connection', 'content-length', 'content-type', 'date', 'keep-alive'])
  }
  t.equal(verdictOf(replies[0]!), 'F INVALID_SIGNATURE')
  t.equal(gateway.published.length, 0)
})

t.test('Kafka away, queue full: call again, signed, in bounded time', async (t) => {
  const failures = {
    'queue-full': async () => Promise.reject(new PublishError('queue-full')),
    deadline: async (_: unknown, until: number) => {
      await new Promise((resolve) => setTimeout(resolve, until - Date.now()))
      throw new PublishError('deadline')
    },
    stopping: async () => Promise.reject(new PublishError('stopping')),
    refused: async () => Promise.reject(new PublishError('refused')),
    'a mistake of ours': async () => Promise.reject(new TypeError('x is not a function')),
  }
  for (const [name, publish] of Object.entries(failures)) {
    const gateway = await startGateway({ publish, deadlinesMs: { alipayplus: 200, bluepay: 200 } })
    const begun = Date.now()
    const reply = await send(gateway, alipayPlusRequest())
    t.same([reply.status, verdictOf(reply)], [200, 'U UNKNOWN_EXCEPTION'], name)
    t.ok(Date.now() - begun < 2_000, 'in time')
    if (name !== 'a mistake of ours')
      t.ok(answerVerifies(alipayPlusPath, reply.headers, reply.body, keyPair('answers')), 'signed')
    await gateway.close()
  }
})

t.test('a signature over other bytes of the same meaning does not verify', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const body = Buffer.from('{"a":1, "b":"é"}')
  const signature = (other: string) =>
    encodeURIComponent(
      alipayPlusSignature({
        path: alipayPlusPath,
        clientId,
        time: '2030-01-01T00:00:00Z',
        keyVersion: '1',
        body: Buffer.from(other),
        pair: keyPair('alipayplus'),
      }).toString('base64'),
    )
  for (const other of [
    '{"a":1,"b":"é"}',
    '{"b":"é", "a":1}',
    '{"a":1, "b":"\\u00e9"}',
    '{"a":1, "b":"é"}\n',
    '\ufeff{"a":1, "b":"é"}',
  ]) {
    const request = alipayPlusRequest({ body })
    request.headers['Request-Time'] = '2030-01-01T00:00:00Z'
    request.headers.Signature = `algorithm=RSA256,keyVersion=1,signature=${signature(other)}`
    t.equal(verdictOf(await send(gateway, request)), 'F INVALID_SIGNATURE', other)
  }
})
