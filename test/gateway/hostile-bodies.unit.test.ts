/** Rows I12 to I15 and I17 to I20 of the hostile input matrix: bodies that parsers read differently, or not at all. */
import t from 'tap'
import { alipayPlusRequest, bluePayRequest, clientId, flatPathId, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { invalid, undecided, valid } from './json-texts.ts'
import { headersOf, requestBytes, sendRaw } from './raw-http.ts'
import { keyPair, rsaSign, signFlat, signParam } from './signing.ts'

const gateway = await startGateway()
t.teardown(gateway.close)
t.afterEach(() => void gateway.published.splice(0))

const sign = (text: string) => rsaSign(text, keyPair('bluepay')).toString('base64')
const bluePay = (body: string | Buffer, id?: string) => send(gateway, bluePayRequest(Buffer.from(body as string), id))
const alipayPlus = (body: string) => send(gateway, alipayPlusRequest({ body: Buffer.from(body) }))
/** A name for an assertion: control characters and line separators would break the report. */
const named = (text: string) => encodeURI(text.slice(0, 40))
const unreadableKey = (body: string) => gateway.identity.unreadableKey('alipayplus', clientId, Buffer.from(body))

t.test('I12 a name twice, also in escaped spelling: refused outside the signed text, kept as unreadable inside it', async (t) => {
  for (const name of ['param', 'p\\u0061ram', 'sign', '\\u0073ign']) {
    const reply = await bluePay(`{"${name}":"x","param":"{}","sign":"${sign('{}')}"}`)
    t.same([reply.status, verdictOf(reply)], [400, '400'], name)
  }
  t.equal((await bluePay(signFlat('{"userId":"a","user\\u0049d":"b"}', 'userId=a', keyPair('bluepay')), flatPathId)).status, 400)
  const twice = '{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":"A","authCode":"1","auth\\u0043ode":"2"}'
  t.equal(verdictOf(await alipayPlus(twice)), 'S SUCCESS')
  t.same(
    gateway.published.map(({ key }) => key),
    [unreadableKey(twice)],
    'under the key of what has no de-duplication key',
  )
})

t.test('I13 __proto__ and constructor are names like any other', async (t) => {
  const param = '{"__proto__":{"eventName":"token.create.failed","admin":true},"constructor":{"prototype":{"admin":true}}}'
  t.equal((await bluePay(signParam(param, keyPair('bluepay')))).status, 200)
  t.equal((await bluePay(signFlat('{"__proto__":"x","a":"1"}', '__proto__=x&a=1', keyPair('bluepay')), flatPathId)).status, 200)
  t.equal(verdictOf(await alipayPlus(`{"__proto__":{"authClientId":"evil"},"authorizationNotifyType":"__proto__"}`)), 'S SUCCESS')
  t.equal(gateway.published[2]?.headers.account, clientId)
  t.equal(({} as { admin?: boolean }).admin, undefined)
})

t.test('I14 numbers that no double holds are no ids', async (t) => {
  for (const id of ['9007199254740993', '1e400', '-1e400', '12345678901234567890', '1.5']) {
    const body = `{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":${id},"authCode":"c"}`
    t.equal(verdictOf(await alipayPlus(body)), 'S SUCCESS', id)
    t.match(gateway.published.at(-1), { key: unreadableKey(body), headers: { account: clientId } })
    t.equal(
      (await bluePay(signFlat(`{"userId":${id}}`, `userId=${id}`, keyPair('bluepay')), flatPathId)).status === 200,
      id === '1.5',
    )
  }
})

t.test('I15 depth: past 32 levels a verified body is kept as unreadable, an outer one refused; nothing overflows', async (t) => {
  for (const depth of [31, 33, 5_000, 32_000]) {
    const body = `{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":"A","authCode":"c","x":${'['.repeat(depth)}${']'.repeat(depth)}}`
    t.equal(verdictOf(await alipayPlus(body)), 'S SUCCESS', `${depth}`)
    t.equal(gateway.published.at(-1)?.key === unreadableKey(body), depth > 31)
    const outer = `{"param":"{}","sign":"${sign('{}')}","x":${'{"a":'.repeat(depth / 4)}1${'}'.repeat(depth / 4)}}`
    t.equal((await bluePay(outer)).status, depth / 4 > 31 ? 400 : 200)
  }
})

t.test('I17 odd characters: kept apart, never repaired', async (t) => {
  const kept = [
    '{"paytoken":"\\u0000"}',
    '{"paytoken":"\u202e"}',
    '{"paytoken":""}',
    '{"paytoken":"1"}',
    `{"paytoken":"${'x'.repeat(50_000)}"}`,
  ]
  for (const param of kept) t.equal((await bluePay(signParam(param, keyPair('bluepay')))).status, 200, param.slice(0, 30))
  t.equal((await bluePay(`{"param":"\\udc00","sign":"${sign('\ufffd')}"}`)).status, 400, 'half a pair, signed as U+FFFD')
  const [a, b] = ['\\ud800', '\\ud801'].map(
    (half) => `{"eventName":"token.create.failed","channelCode":"c","userId":"${half}","requestId":"r"}`,
  )
  await bluePay(signParam(a as string, keyPair('bluepay')))
  await bluePay(signParam(b as string, keyPair('bluepay')))
  t.not(gateway.published.at(-1)?.key, gateway.published.at(-2)?.key, 'two half pairs inside param stay two')
})

t.test('I18 nothing of a request can break out of a Kafka header', async (t) => {
  const evil = ['a\r\nb', 'a\u0000b', 'é', '\u2028', ' ', 'x'.repeat(129)]
  for (const authClientId of evil) {
    await alipayPlus(JSON.stringify({ authorizationNotifyType: 'AUTHCODE_CREATED', authClientId, authCode: 'c' }))
    t.equal(gateway.published.at(-1)?.headers.account, clientId, encodeURIComponent(authClientId.slice(0, 8)))
  }
  const names = new Set(gateway.published.flatMap(({ headers }) => Object.keys(headers)))
  const allowed = [
    'provider',
    'account',
    'content-type',
    'content-hash',
    'http-path',
    'http-client-id',
    'http-request-time',
    'http-signature',
  ]
  t.same([...names].sort(), allowed.sort())
  for (const { headers } of gateway.published) for (const value of Object.values(headers)) t.match(value, /^[ -~]*$/)
  const request = alipayPlusRequest({ clientId: 'A\u00e9', time: '2030-01-01T00:00:00Z\u00ff' })
  const { reply } = await sendRaw(
    gateway.port,
    requestBytes({ target: request.path, headers: headersOf(request), body: request.body }),
  )
  t.equal(reply && verdictOf(reply), 'F INVALID_SIGNATURE', 'bytes beyond ASCII in a signed header')
})

t.test("I19 the largest body with the longest headers is far below the broker's limit after sealing", async (t) => {
  const body = Buffer.from(
    `{"authorizationNotifyType":"NEW","authClientId":"${'A'.repeat(128)}","x":"${'y'.repeat(65_000)}"}`,
  ).subarray(0, 65_536)
  const request = alipayPlusRequest({ body })
  request.headers.Signature = `${request.headers.Signature}, padding=${'p'.repeat(2048 - request.headers.Signature!.length - 10)}`
  t.equal(verdictOf(await send(gateway, request)), 'S SUCCESS')
  const [record] = gateway.published
  const size = (record?.value.length ?? 0) + JSON.stringify(record?.headers).length
  t.ok(size > 65_536 && size < 128 * 1024, `${size} bytes`)
  request.headers.Signature += 'p'
  t.equal(
    verdictOf(await send(gateway, request)),
    'F INVALID_SIGNATURE',
    'a header beyond its limit is refused before anything is computed',
  )
})

t.test('I20 the JSON texts of the minefield, as an outer member beside a genuine signature', async (t) => {
  const withMember = (text: string) => `{"param":"{}","sign":"${sign('{}')}","x":${text}}`
  const status = async (text: string) => (await bluePay(withMember(text))).status
  for (const text of valid) t.equal(await status(text), 200, named(text))
  for (const text of invalid) t.equal(await status(text), 400, named(text))
  for (const [text, taken] of undecided) t.equal(await status(text), taken ? 200 : 400, named(text))
})
