import t from 'tap'
import { PublishError } from '../../shared/kafka/publisher.ts'
import {
  bluePayParam,
  bluePayPath,
  bluePayRequest,
  flatPathId,
  otherPathId,
  pathId,
  send,
  startGateway,
  verdictOf,
} from './gateway-under-test.ts'
import { keyPair, rsaSign, signFlat, signParam } from './signing.ts'

const json = (value: object) => Buffer.from(JSON.stringify(value))
const signOf = (text: string) => rsaSign(text, keyPair('bluepay')).toString('base64')

t.test('an unknown account, a bad signature and the wrong style cannot be told apart', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const bodies = {
    'forged param': signParam(bluePayParam, keyPair('forger')),
    'forged flat': signFlat('{"userId":"u"}', 'userId=u', keyPair('forger')),
    'no param': json({ sign: signOf('x'), userId: 'u' }),
    'sign is not base64': json({ param: bluePayParam, sign: 'no base64!' }),
    'sign is URL-safe base64': json({
      param: bluePayParam,
      sign: signOf(bluePayParam).replaceAll('+', '-').replaceAll('/', '_'),
    }),
    'sign is short': json({ param: bluePayParam, sign: 'AAAA' }),
    'sign is empty': json({ param: bluePayParam, sign: '' }),
    broken: Buffer.from('{'),
  }
  for (const [name, body] of Object.entries(bodies)) {
    const work: number[][] = []
    const replies = []
    for (const id of [pathId, flatPathId, otherPathId, 'u'.padEnd(22, 'nknown'), 'x']) {
      gateway.checks.length = 0
      replies.push(await send(gateway, bluePayRequest(body, id)))
      work.push([...gateway.checks])
    }
    for (const reply of replies) t.same([reply.status, reply.body], [name === 'broken' ? 400 : 401, replies[0]?.body], name)
    for (const checks of work) t.same(checks, work[0], `${name}: the same verifications`)
  }
  t.equal(gateway.published.length, 0)
})

t.test('what is no signed body: 400', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const sign = signOf(bluePayParam)
  const param = JSON.stringify(bluePayParam)
  const bodies: Record<string, string | Buffer> = {
    empty: '',
    'not JSON': '{"param":',
    'an array': `[{"param":${param},"sign":"${sign}"}]`,
    'no sign': json({ param: bluePayParam }),
    'sign is a number': json({ param: bluePayParam, sign: 1 }),
    'param is an object': json({ param: JSON.parse(bluePayParam), sign }),
    'sign twice': `{"param":${param},"sign":"x","sign":"${sign}"}`,
    'param twice, once escaped': `{"param":"{}","p\\u0061ram":${param},"sign":"${sign}"}`,
    'half a surrogate pair': `{"param":"\\ud800","sign":"${signOf('\ufffd')}"}`,
    'a byte that is no UTF-8': Buffer.concat([
      Buffer.from('{"param":"'),
      Buffer.from([0xff]),
      Buffer.from(`","sign":"${signOf('\ufffd')}"}`),
    ]),
    'a byte order mark': `\ufeff{"param":${param},"sign":"${sign}"}`,
  }
  for (const [name, body] of Object.entries(bodies)) {
    const reply = await send(gateway, bluePayRequest(Buffer.from(body as string)))
    t.same([reply.status, verdictOf(reply)], [400, '400'], name)
  }
  t.equal(gateway.published.length, 0)
})

t.test('Kafka away: waits as long as the deadline, then 503; queue full: 503 at once', async (t) => {
  let until = 0
  const waiting = await startGateway({
    deadlinesMs: { alipayplus: 50, bluepay: 300 },
    async publish(_, deadline) {
      until = deadline
      await new Promise((resolve) => setTimeout(resolve, deadline - Date.now()))
      throw new PublishError('deadline')
    },
  })
  t.teardown(waiting.close)
  const begun = Date.now()
  const reply = await send(waiting, bluePayRequest())
  t.same([reply.status, verdictOf(reply)], [503, '503'])
  t.ok(until >= begun + 300 && until <= Date.now(), "the sender's whole patience was used")

  const full = await startGateway({ publish: async () => Promise.reject(new PublishError('queue-full')) })
  t.teardown(full.close)
  t.equal((await send(full, bluePayRequest())).status, 503)
})

t.test('the path id appears in no log line, metric or record', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  await send(gateway, bluePayRequest())
  await send(gateway, bluePayRequest(Buffer.from('{')))
  await send(gateway, bluePayRequest(signParam('x', keyPair('forger'))))
  await send(gateway, { ...bluePayRequest(), path: `${bluePayPath}/${pathId}/more` })
  await send(gateway, { ...bluePayRequest(), path: `${bluePayPath}/${pathId}?a=1` })
  await send(gateway, bluePayRequest(), 'DELETE')
  t.ok(gateway.logged.length >= 6)
  const left = JSON.stringify([gateway.logged, gateway.published, await gateway.registry.metrics()])
  t.notOk(left.includes(pathId))
  t.notMatch(await gateway.registry.metrics(), /demo-ph|M-1|SANDBOX/, 'nor does an account in a metric')
})
