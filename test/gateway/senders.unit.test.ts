import t from 'tap'
import { createAddressList, createRateLimit, senderAddress } from '../../services/gateway/senders.ts'
import { accountsFile, alipayPlusRequest, bluePayRequest, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { answerVerifies, keyPair, spki } from './signing.ts'

t.test('an address list has addresses and ranges of both families', async (t) => {
  const contains = createAddressList('X', ' 192.0.2.7, 10.0.0.0/8 ,2001:db8::/32,')
  for (const address of ['192.0.2.7', '10.255.0.1', '2001:db8:1::2', '::ffff:10.1.2.3']) t.ok(contains(address), address)
  for (const address of ['192.0.2.8', '11.0.0.1', '2001:db9::1', '', 'localhost']) t.notOk(contains(address), address)
  t.notOk(createAddressList('X', '')('127.0.0.1'))
  for (const wrong of ['localhost', '10.0.0.0/33', '10.0.0.0/', '1.2.3.4/5/6', '300.1.1.1', '10.0.0.0/8 11.0.0.0/8']) {
    t.throws(() => createAddressList('ALLOWED_ADDRESSES', wrong), /ALLOWED_ADDRESSES/, wrong)
  }
})

t.test('X-Forwarded-For is believed from trusted proxies only, from its right end, as far as they wrote it', async (t) => {
  const trusted = createAddressList('X', '10.0.0.0/8')
  const sender = (socket: string, forwarded?: string) => senderAddress(socket, forwarded, trusted)
  t.equal(sender('203.0.113.9', '192.0.2.1'), '203.0.113.9', 'anybody can send the header')
  t.equal(sender('10.0.0.1', '192.0.2.1'), '192.0.2.1')
  t.equal(sender('10.0.0.1', '198.51.100.5, 192.0.2.1, 10.0.0.2'), '192.0.2.1', 'what the sender made up is left of it')
  t.equal(sender('10.0.0.1', undefined), '10.0.0.1')
  t.equal(sender('10.0.0.1', '10.0.0.3'), '10.0.0.3')
  t.equal(sender('10.0.0.1', '192.0.2.1, nonsense'), '10.0.0.1')
})

t.test('the address allow-list: off unless set; others get 403 before anything is read', async (t) => {
  const forwarded = (address: string) => {
    const request = bluePayRequest()
    return { ...request, headers: { ...request.headers, 'X-Forwarded-For': address } }
  }
  const gateway = await startGateway({ allowedAddresses: '192.0.2.0/24', trustedProxies: '127.0.0.0/8' })
  t.teardown(gateway.close)
  t.equal((await send(gateway, forwarded('192.0.2.44'))).status, 200)
  const refused = await send(gateway, forwarded('198.51.100.1'))
  t.same([refused.status, verdictOf(refused)], [403, '403'])
  t.equal((await send(gateway, bluePayRequest())).status, 403, 'the proxy itself is not on the list')
  t.equal(gateway.published.length, 1)

  const untrusting = await startGateway({ allowedAddresses: '192.0.2.0/24' })
  t.teardown(untrusting.close)
  const forged = await send(untrusting, {
    ...alipayPlusRequest(),
    headers: { ...alipayPlusRequest().headers, 'X-Forwarded-For': '192.0.2.44' },
  })
  t.same([forged.status, verdictOf(forged)], [403, 'F ACCESS_DENIED'])
})

t.test('the rate limit: off unless set; per client, counted only for what verified', async (t) => {
  const allows = createRateLimit(3)
  t.same(await Promise.all(['a', 'a', 'a', 'a', 'b'].map(allows)), [true, true, true, false, true])
  t.same(await Promise.all(Array.from({ length: 50 }, () => createRateLimit(0)('a'))), Array(50).fill(true))

  const accounts = accountsFile()
  accounts.alipayplus!.clients.push({
    clientId: 'OTHER',
    keys: [{ version: '1', state: 'active', publicKey: spki(keyPair('alipayplus')) }],
  })
  const gateway = await startGateway({ accounts, ratePerClient: 2 })
  t.teardown(gateway.close)
  const body = (n: number) => Buffer.from(`{"n":${n}}`)
  for (let n = 0; n < 10; n++) await send(gateway, alipayPlusRequest({ pair: keyPair('forger') }))
  const replies = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => send(gateway, alipayPlusRequest({ body: body(n) }))))
  const verdicts = replies.map(verdictOf)
  t.ok(
    verdicts.includes('S SUCCESS') && verdicts.includes('U UNKNOWN_EXCEPTION'),
    'forgeries used nothing up; too many are told to call again',
  )
  for (const { headers, body } of replies) t.ok(answerVerifies(alipayPlusRequest().path, headers, body, keyPair('answers')))
  t.equal(
    verdictOf(await send(gateway, alipayPlusRequest({ clientId: 'OTHER' }))),
    'S SUCCESS',
    'another client has its own allowance',
  )
  const bluePay = await Promise.all([1, 2, 3, 4, 5, 6].map(() => send(gateway, bluePayRequest())))
  t.ok(bluePay.some(({ status }) => status === 429))
})
