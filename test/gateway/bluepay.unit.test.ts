import { connect } from 'node:net'
import t from 'tap'
import {
  accountsFile,
  bluePayParam,
  bluePayRequest,
  flatPathId,
  otherPathId,
  pathId,
  send,
  startGateway,
  verdictOf,
} from './gateway-under-test.ts'
import { headersOf, requestBytes } from './raw-http.ts'
import { keyPair, rsaSign, signFlat, signParam, spki } from './signing.ts'

const signOf = (text: string) => rsaSign(text, keyPair('bluepay')).toString('base64')

t.test('a signed notification is kept byte for byte, sealed, and acknowledged exactly so', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const request = bluePayRequest()
  const reply = await send(gateway, request)
  t.equal(reply.status, 200)
  t.equal(reply.body, '{"code":10000,"message":"Success"}')
  t.match(reply.headers.get('content-type'), /^application\/json/)
  t.notOk(reply.headers.has('signature'))

  const [record] = gateway.published
  t.same(gateway.opener.open('bluepay', 'demo-ph', record?.value as Buffer), request.body)
  t.same(
    { ...record?.headers, 'content-hash': '' },
    {
      provider: 'bluepay',
      account: 'demo-ph',
      'merchant-id': 'M-1',
      'account-style': 'param',
      'content-type': 'application/jose',
      'content-hash': '',
    },
  )
  const fields = ['token.create.success', 'PH_GCASH_DIRECT_DEBIT', 'u00012', 'Joeyi2qzl5pv1a4wpxxxv100', 'TK1U2ODY9EPKRSOSU9']
  t.equal(record?.key, gateway.identity.partitionKey('bluepay', 'demo-ph', { fields, token: 'TK1U2ODY9EPKRSOSU9' }))
})

t.test('the decoded characters of param count, in whatever spelling they arrive', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const param = '{"eventName":"x","userId":"é/ü😀"}'
  const sign = signOf(param)
  const escaped = JSON.stringify(param).replaceAll('/', '\\u002F').replaceAll('é', '\\u00e9').replaceAll('😀', '\\ud83d\\ude00')
  const bodies = [
    JSON.stringify({ param, sign }),
    JSON.stringify({ sign, param }, null, 2),
    `{"param":${escaped},"sign":${JSON.stringify(sign).replaceAll('/', '\\/')}}`,
    `{"p\\u0061ram":${escaped},"sign":"${sign}","something":"new"}`,
  ]
  for (const body of bodies)
    t.equal(verdictOf(await send(gateway, bluePayRequest(Buffer.from(body)))), '10000', body.slice(0, 60))
  t.equal(new Set(gateway.published.map(({ headers }) => headers['content-hash'])).size, 1)
  const reserialised = JSON.stringify({ param: '{"userId":"é/ü😀","eventName":"x"}', sign })
  t.equal(verdictOf(await send(gateway, bluePayRequest(Buffer.from(reserialised)))), '401', 'the same fields in another order')
})

t.test('an account has its own keys, several active ones, up to 4096 bits', async (t) => {
  const accounts = accountsFile()
  const key = (name: string, state: 'active' | 'retired' = 'active', bits?: number) => ({
    state,
    publicKey: spki(keyPair(name, bits)),
  })
  accounts.bluepay!.accounts[0]!.keys = [key('old', 'retired'), key('bluepay'), key('next'), key('big', 'active', 4096)]
  const gateway = await startGateway({ accounts })
  t.teardown(gateway.close)
  const verdict = async (name: string, id: string, bits?: number) =>
    verdictOf(await send(gateway, bluePayRequest(signParam(bluePayParam, keyPair(name, bits)), id)))
  t.equal(await verdict('bluepay', pathId), '10000')
  t.equal(await verdict('next', pathId), '10000')
  t.equal(await verdict('big', pathId, 4096), '10000')
  t.equal(await verdict('big', otherPathId, 4096), '10000')
  t.equal(await verdict('old', pathId), '401', 'retired')
  t.equal(await verdict('bluepay', otherPathId), '401', "another account's key")
  t.same(
    gateway.published.map(({ headers }) => headers.account),
    ['demo-ph', 'demo-ph', 'demo-ph', 'other'],
  )
})

t.test('the flat style: fields by name, without sign, null and empty ones, numbers as written', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const verdict = async (fields: string, signed: string, id = flatPathId) =>
    verdictOf(await send(gateway, bluePayRequest(signFlat(fields, signed, keyPair('bluepay')), id)))
  const accepted: [string, string][] = [
    ['{"version":"1.0","amount":100.00,"appId":"f90a"}', 'amount=100.00&appId=f90a&version=1.0'],
    ['{"userId":"u1","eventName":"token.create.failed","paytoken":"","x":null}', 'eventName=token.create.failed&userId=u1'],
    ['{"b":true,"a":1e3,"B":"é","userId":"A&B"}', 'B=é&a=1e3&b=true&userId=A&B'],
    ['{"requestId":12,"userId":"\\u0041"}', 'requestId=12&userId=A'],
  ]
  for (const [fields, signed] of accepted) t.equal(await verdict(fields, signed), '10000', signed)
  t.match(gateway.published[0]?.headers, { account: 'demo-flat', 'default-zone': '+07:00', 'account-style': 'flat' })

  const refused: [string, string, string][] = [
    ['{"amount":100.00}', 'amount=100', 'a number written otherwise'],
    ['{"b":"2","a":"1"}', 'b=2&a=1', 'not sorted'],
    ['{"a":"1","b":""}', 'a=1&b=', 'empty ones signed'],
    ['{"userId":"u1&paytoken=T1"}', 'userId=u1&paytoken=T1', 'a value that could be two fields'],
    ['{"userId":1e3}', 'userId=1e3', 'an id that would be read as 1000'],
    ['{"requestId":9007199254740993}', 'requestId=9007199254740993', 'an id that no double holds'],
  ]
  for (const [fields, signed, why] of refused) t.not(await verdict(fields, signed), '10000', why)
  t.equal(await verdict('{"a":{"b":1}}', 'a={"b":1}'), '400', 'an object: nobody says how it would be signed')
  t.equal(await verdict('{"a":"1"}', 'a=1', pathId), '401', 'to an account of the other style')
  t.equal(gateway.published.length, accepted.length)
})

t.test('a verified param that nobody can read is kept', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  for (const param of ['', 'no json', '[1]', '{"eventName":"direct.debit.success"}', '{"a":1,"a":2}', '{"a":"\\ud800"}']) {
    const body = signParam(param, keyPair('bluepay'))
    t.equal(verdictOf(await send(gateway, bluePayRequest(body))), '10000', param)
    t.same(gateway.opener.open('bluepay', 'demo-ph', gateway.published.at(-1)?.value as Buffer), body)
  }
})

t.test('a sender that hangs up has still signed: what it sent is kept when Kafka is back', async (t) => {
  const kafka = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const gateway = await startGateway({
    async publish() {
      asked.resolve()
      await kafka.promise
      return { partition: 0, offset: '0' }
    },
  })
  t.teardown(gateway.close)
  const request = bluePayRequest()
  const socket = connect(gateway.port, '127.0.0.1')
  socket.write(requestBytes({ target: request.path, headers: headersOf(request), body: request.body }))
  await asked.promise
  socket.destroy()
  await new Promise((resolve) => socket.once('close', resolve))
  kafka.resolve()
  t.equal((await send(gateway, bluePayRequest())).status, 200)
  t.equal(gateway.published.length, 2)
})
