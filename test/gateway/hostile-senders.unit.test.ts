/** Rows I8 to I11 of the hostile input matrix: whose request it is, to which path, from when. */
import t from 'tap'
import {
  accountsFile,
  alipayPlusPath,
  bluePayParam,
  bluePayRequest,
  clientId,
  type GatewayUnderTest,
  otherPathId,
  send,
  startGateway,
  verdictOf,
} from './gateway-under-test.ts'
import { headersOf, requestBytes, sendRaw } from './raw-http.ts'
import { keyPair, type SignedRequest, signAlipayPlus, signParam, spki } from './signing.ts'

const gateways: GatewayUnderTest[] = []
const gateway = await startGateway()
gateways.push(gateway)
t.teardown(() => Promise.all(gateways.map((each) => each.close())))
t.afterEach(() => void gateway.published.splice(0))

const time = new Date().toISOString()
const body = Buffer.from('{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":"218","authCode":"c"}')
const parts = { path: alipayPlusPath, clientId, time, keyVersion: '1', body, pair: keyPair('alipayplus') }
const refused = async (t: Tap, request: SignedRequest, why: string) =>
  t.equal(verdictOf(await send(gateway, request)), 'F INVALID_SIGNATURE', why)
type Tap = { equal: (found: unknown, wanted: unknown, why: string) => unknown }

t.test('I8 another spelling of the path: 404, and a signature for another path: refused', async (t) => {
  const request = signAlipayPlus(parts)
  const targets = [
    `/${alipayPlusPath}`,
    `${alipayPlusPath}/`,
    `${alipayPlusPath}?`,
    `${alipayPlusPath}?a=1`,
    `${alipayPlusPath}#a`,
    alipayPlusPath.replace('/v1/', '/v1//'),
    alipayPlusPath.replace('authNotify', '%61uthNotify'),
    alipayPlusPath.replace('/v1/', '/%2e/v1/'),
    alipayPlusPath.replace('/v1/', '/v1/../v1/'),
    alipayPlusPath.replace('authNotify', 'authnotify'),
    alipayPlusPath.replace('/v1', '%2fv1'),
    `http://gateway${alipayPlusPath}`,
    alipayPlusPath.replaceAll('/', '\\'),
  ]
  for (const target of targets) {
    const { reply } = await sendRaw(gateway.port, requestBytes({ target, headers: headersOf(request), body }))
    t.ok(reply && [400, 404].includes(reply.status), `${target} ${reply?.status}`)
    if (reply?.status === 404) t.equal(verdictOf(reply), 'F INVALID_API')
  }
  for (const path of ['/other', `${alipayPlusPath}?a=1`, `http://gateway${alipayPlusPath}`]) {
    await refused(t, { ...signAlipayPlus({ ...parts, path }), path: alipayPlusPath }, `signed for ${path}`)
  }
  t.equal(gateway.published.length, 0)
})

t.test("I9 one sender's request in another's name, or to the other provider's route: refused", async (t) => {
  const accounts = accountsFile()
  accounts.alipayplus!.clients.push({
    clientId: 'OTHER',
    keys: [{ version: '1', state: 'active', publicKey: spki(keyPair('other-client')) }],
  })
  const two = await startGateway({ accounts })
  gateways.push(two)
  const request = signAlipayPlus(parts)
  const verdict = async (headers: Record<string, string>) =>
    verdictOf(await send(two, { ...request, headers: { ...request.headers, ...headers } }))
  t.equal(await verdict({}), 'S SUCCESS')
  t.equal(await verdict({ 'Client-Id': 'OTHER' }), 'F INVALID_SIGNATURE')
  t.equal(
    verdictOf(await send(two, bluePayRequest(signParam(bluePayParam, keyPair('bluepay')), otherPathId))),
    '401',
    'to another account',
  )
  t.equal((await send(two, { ...request, path: bluePayRequest().path })).status, 400, 'Alipay+ to the BluePay route')
  t.equal(verdictOf(await send(two, { ...bluePayRequest(), path: alipayPlusPath })), 'F INVALID_SIGNATURE', 'and the other way')
  t.equal(two.published.length, 1)
})

t.test('I10 a replay: inside the window kept under the same partition key, beyond it or from the future refused', async (t) => {
  const request = signAlipayPlus({ ...parts, time: new Date(Date.now() - 20 * 60 * 60 * 1000).toISOString() })
  t.equal(verdictOf(await send(gateway, request)), 'S SUCCESS')
  t.equal(verdictOf(await send(gateway, request)), 'S SUCCESS')
  t.equal(gateway.published[0]?.key, gateway.published[1]?.key)
  for (const days of [4, -1]) {
    const old = signAlipayPlus({ ...parts, time: new Date(Date.now() - days * 86_400_000).toISOString() })
    t.equal(verdictOf(await send(gateway, old)), 'F PARAM_ILLEGAL', `${days} days`)
  }
  await refused(t, { ...request, headers: { ...request.headers, 'Request-Time': time } }, 'another time than was signed')
  t.equal(gateway.published.length, 2)
})

t.test('I11 unknown client, unknown key and bad signature: one answer, the same work', async (t) => {
  const requests = {
    'bad signature': signAlipayPlus({ ...parts, pair: keyPair('forger') }),
    'unknown client': signAlipayPlus({ ...parts, clientId: 'NOBODY' }),
    'unknown key': signAlipayPlus({ ...parts, keyVersion: '9' }),
    'bad signature of another size': signAlipayPlus({ ...parts, pair: keyPair('forger', 4096) }),
    'unknown client, another size': signAlipayPlus({ ...parts, clientId: 'NOBODY', pair: keyPair('forger', 4096) }),
  }
  const seen: string[] = []
  for (const [name, request] of Object.entries(requests)) {
    gateway.checks.length = 0
    const reply = await send(gateway, request)
    t.same(gateway.checks, [name.includes('size') ? 4096 : 2048], name)
    seen.push(`${reply.status} ${reply.body}`)
  }
  t.equal(new Set(seen).size, 1)
})
