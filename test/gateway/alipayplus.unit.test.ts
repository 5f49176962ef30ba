import t from 'tap'
import { accountsFile, alipayPlusPath, alipayPlusRequest, clientId, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { answerVerifies, keyPair, spki } from './signing.ts'

t.test('a signed notification is kept byte for byte, sealed, and acknowledged with a signed answer', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const body = Buffer.from(
    '{ "authorizationNotifyType":"TOKEN_CREATED",\r\n\t"authClientId":"218", "accessToken":"T\\u00e9" , "new": [1.50] }\n',
  )
  const request = alipayPlusRequest({ body })
  const reply = await send(gateway, request)

  t.equal(reply.status, 200)
  t.same(JSON.parse(reply.body), { result: { resultCode: 'SUCCESS', resultStatus: 'S', resultMessage: 'success' } })
  t.equal(reply.headers.get('client-id'), clientId)
  t.match(reply.headers.get('response-time'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  t.match(reply.headers.get('content-type'), /^application\/json/)
  t.ok(answerVerifies(alipayPlusPath, reply.headers, reply.body, keyPair('answers')))

  const [record, ...more] = gateway.published
  t.equal(more.length, 0)
  t.same(gateway.opener.open('alipayplus', '218', record?.value as Buffer), body)
  const fields = ['TOKEN_CREATED', '218', 'Té']
  t.equal(record?.key, gateway.identity.partitionKey('alipayplus', '218', { fields, token: 'Té' }))
  t.match(record, {
    topic: 't.notifications.alipayplus.raw.v1',
    headers: {
      provider: 'alipayplus',
      account: '218',
      'content-type': 'application/jose',
      'http-path': alipayPlusPath,
      'http-client-id': clientId,
      'http-request-time': request.headers['Request-Time'],
      'http-signature': request.headers.Signature,
    },
  })
  t.notOk(
    JSON.stringify([record?.headers, record?.key, record?.value.toString('latin1')]).includes('Té'),
    'no token in the clear',
  )
})

t.test('what verifies is kept and acknowledged, even if nobody can read it', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const bodies = [
    '',
    'not json',
    '[]',
    'null',
    '{"authorizationNotifyType":"SOMETHING_NEW"}',
    '{"authorizationNotifyType":"TOKEN_CREATED"}',
    '{"authClientId":"a","authClientId":"b"}',
    '{"authClientId":"a\\r\\nX-Evil: 1"}',
    `{"authClientId":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    '{"__proto__":{"authClientId":"x"},"constructor":{"prototype":1}}',
  ].map((text) => Buffer.from(text))
  bodies.push(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), Buffer.from([0x7b, 0xff, 0x7d]))
  for (const body of bodies) {
    const reply = await send(gateway, alipayPlusRequest({ body }))
    t.equal(verdictOf(reply), 'S SUCCESS', body.toString('latin1', 0, 40))
    const record = gateway.published.at(-1)
    t.equal(record?.headers.account, clientId, 'the Client-Id stands in for an account that cannot be read')
    t.same(gateway.opener.open('alipayplus', clientId, record?.value as Buffer), body)
  }
  t.equal(gateway.published.length, bodies.length)
})

t.test('the same change goes to the same partition key, whatever its spelling, time and signature', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const spellings = [
    '{"authorizationNotifyType":"TOKEN_CREATED","authClientId":"218","accessToken":"T1"}',
    '{"accessToken":"T\\u0031","authClientId":"218","authorizationNotifyType":"TOKEN_CREATED","scopes":null}',
    '{"authorizationNotifyType":"TOKEN_CANCELED","authClientId":"218","accessToken":"T1"}',
  ]
  const replies = []
  for (const text of spellings) replies.push(await send(gateway, alipayPlusRequest({ body: Buffer.from(text) })))
  t.equal(new Set(gateway.published.map(({ key }) => key)).size, 1)
  t.equal(new Set(replies.map(({ body }) => body)).size, 1, 'and the answer to a repeat is the same')
  const [created, repeated, canceled] = gateway.published.map(({ headers }) => headers['content-hash'])
  t.equal(created, repeated)
  t.not(created, canceled)
})

t.test('keys go by client and version: several active ones, retired and unknown ones refused', async (t) => {
  const key = (version: string, state: 'active' | 'retired') => ({ version, state, publicKey: spki(keyPair(`v${version}`)) })
  const accounts = accountsFile()
  accounts.alipayplus!.clients = [
    { clientId: 'MANY', keys: [key('1', 'active'), key('2', 'active'), key('0', 'retired')] },
    { clientId: 'ONE', keys: [key('5', 'active'), key('4', 'retired')] },
    { clientId: 'NONE', keys: [key('6', 'retired')] },
  ]
  const gateway = await startGateway({ accounts })
  t.teardown(gateway.close)
  const verdict = async (client: string, keyVersion: string | undefined, signedBy: string) =>
    verdictOf(await send(gateway, alipayPlusRequest({ clientId: client, keyVersion, pair: keyPair(signedBy) })))

  t.equal(await verdict('MANY', '1', 'v1'), 'S SUCCESS')
  t.equal(await verdict('MANY', '2', 'v2'), 'S SUCCESS')
  t.equal(await verdict('ONE', '5', 'v5'), 'S SUCCESS')
  t.equal(await verdict('ONE', undefined, 'v5'), 'S SUCCESS', 'no version means the only active key')
  const refused: [string, string | undefined, string][] = [
    ['MANY', '0', 'v0'],
    ['MANY', '1', 'v2'],
    ['MANY', undefined, 'v1'],
    ['MANY', '3', 'v1'],
    ['MANY', '', 'v1'],
    ['MANY', '../1', 'v1'],
    ['MANY', '__proto__', 'v1'],
    ['ONE', '4', 'v4'],
    ['ONE', undefined, 'v4'],
    ['NONE', '6', 'v6'],
    ['NONE', undefined, 'v6'],
    ['UNKNOWN', '1', 'v1'],
    ['constructor', '1', 'v1'],
  ]
  for (const [client, version, signedBy] of refused) {
    t.equal(await verdict(client, version, signedBy), 'F INVALID_SIGNATURE', `${client} ${version} ${signedBy}`)
  }
  t.equal(gateway.published.length, 4)
})
