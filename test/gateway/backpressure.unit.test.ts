/** Too much in hand, and the end of service: what senders are told, and that nothing accepted is dropped. */
import { connect } from 'node:net'
import t from 'tap'
import { PublishError } from '../../shared/kafka/publisher.ts'
import { alipayPlusPath, alipayPlusRequest, bluePayRequest, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { headersOf, requestBytes } from './raw-http.ts'

/** Kafka that answers when told to. */
function createKafkaStandIn() {
  const back = Promise.withResolvers<void>()
  let waiting = 0
  return {
    back: back.resolve,
    giveUp: () => back.reject(new PublishError('aborted')),
    waiting: () => waiting,
    async publish() {
      waiting++
      await back.promise
      return { partition: 0, offset: '0' }
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

t.test('when all that is in hand waits for Kafka, a new sender is told at once to call again', async (t) => {
  const kafka = createKafkaStandIn()
  const gateway = await startGateway({ publish: kafka.publish, maxInFlightBytes: 200_000 })
  t.teardown(gateway.close)
  const large = () => alipayPlusRequest({ body: Buffer.alloc(60_000, 0x20) })
  const first = [1, 2, 3, 4].map(() => send(gateway, large()))
  await until(() => kafka.waiting() === 4)
  t.equal(gateway.intake.inFlightBytes(), 240_000)
  const refused = await send(gateway, alipayPlusRequest())
  t.same([refused.status, verdictOf(refused)], [200, 'U UNKNOWN_EXCEPTION'])
  t.equal((await send(gateway, bluePayRequest())).status, 503)
  t.equal(kafka.waiting(), 4)

  kafka.back()
  t.same((await Promise.all(first)).map(verdictOf), Array(4).fill('S SUCCESS'))
  t.equal(gateway.intake.inFlightBytes(), 0)
  t.equal(verdictOf(await send(gateway, alipayPlusRequest())), 'S SUCCESS', 'there is room again')
})

t.test('a stop finishes what is in hand, hurries who is still sending, and takes nothing new', async (t) => {
  const kafka = createKafkaStandIn()
  const gateway = await startGateway({ publish: kafka.publish })
  const inHand = send(gateway, alipayPlusRequest())
  await until(() => kafka.waiting() === 1)
  const slow = connect(gateway.port, '127.0.0.1')
  slow.on('error', () => {})
  slow.write(requestBytes({ target: alipayPlusPath, headers: headersOf(alipayPlusRequest()) }))
  const slowClosed = new Promise((resolve) => slow.once('close', resolve))
  await new Promise((resolve) => slow.once('connect', resolve))

  const drained = gateway.drain()
  await t.rejects(send(gateway, alipayPlusRequest()), 'no new connection is taken')
  kafka.back()
  const reply = await inHand
  t.equal(verdictOf(reply), 'S SUCCESS')
  t.equal(reply.headers.get('connection'), 'close')
  await slowClosed
  await drained
})

t.test('a stop that cannot wait for Kafka tells those in hand to call again', async (t) => {
  const kafka = createKafkaStandIn()
  const gateway = await startGateway({ publish: kafka.publish })
  const inHand = [send(gateway, alipayPlusRequest()), send(gateway, bluePayRequest())]
  await until(() => kafka.waiting() === 2)
  const drained = gateway.drain()
  kafka.giveUp()
  t.same((await Promise.all(inHand)).map(verdictOf), ['U UNKNOWN_EXCEPTION', '503'])
  await drained
  t.equal(gateway.published.length, 0)
})

t.test('a mistake of ours is never an acknowledgement', async (t) => {
  const gateway = await startGateway({ publish: async () => Promise.reject(new RangeError('secret detail')) })
  t.teardown(gateway.close)
  for (const request of [alipayPlusRequest(), bluePayRequest()]) {
    const reply = await send(gateway, request)
    t.ok(['U UNKNOWN_EXCEPTION', '500'].includes(verdictOf(reply)))
    t.notMatch(reply.body, /secret detail/)
  }
  const lines = gateway.logged.filter(({ event }) => event === 'request-failed')
  t.same(
    lines.map(({ level }) => level),
    ['error', 'error'],
  )
  t.match(lines[0]?.reason, /^RangeError\s+at .*backpressure/, 'the log says where')
  t.notMatch(JSON.stringify(gateway.logged), /secret detail/)
})
