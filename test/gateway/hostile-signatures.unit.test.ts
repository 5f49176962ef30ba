/** Rows I1 to I7 of the hostile input matrix: what can be done to a signature and to what is signed. */
import t from 'tap'
import { alipayPlusPath, bluePayParam, bluePayRequest, clientId, send, startGateway, verdictOf } from './gateway-under-test.ts'
import { headersOf, requestBytes, sendRaw } from './raw-http.ts'
import { alipayPlusSignature, keyPair, rsaSign, type SignedRequest, signAlipayPlus } from './signing.ts'

const gateway = await startGateway()
t.teardown(gateway.close)
t.afterEach(() => void gateway.published.splice(0))

const time = new Date().toISOString()
const body = Buffer.from('{"authorizationNotifyType":"AUTHCODE_CREATED","authClientId":"218","authCode":"c"}')
const parts = { path: alipayPlusPath, clientId, time, keyVersion: '1', body, pair: keyPair('alipayplus') }
const standard = alipayPlusSignature(parts).toString('base64')
const withSignature = (header: string): SignedRequest => {
  const request = signAlipayPlus(parts)
  return { ...request, headers: { ...request.headers, Signature: header } }
}
const valued = (value: string) => withSignature(`algorithm=RSA256,keyVersion=1,signature=${value}`)
const refused = async (t: Tap, request: SignedRequest, why: string) =>
  t.equal(verdictOf(await send(gateway, request)), 'F INVALID_SIGNATURE', why)
type Tap = { equal: (found: unknown, wanted: unknown, why: string) => unknown }

t.test('I1 base64 in another spelling: refused unless canonical; canonical base64url is accepted', async (t) => {
  const [half, rest] = [standard.slice(0, 100), standard.slice(100)]
  await refused(t, valued(`${half} ${rest}`), 'a blank inside')
  await refused(t, valued(`${half}*${rest}`), 'junk inside')
  await refused(t, valued(`${standard}AAAA`), 'text after the padding')
  await refused(t, valued(standard.replace(/=+$/, '')), 'no padding')
  await refused(t, valued(`${standard}=`), 'too much padding')
  await refused(
    t,
    valued(`${standard.slice(0, -3)}${String.fromCharCode(standard.charCodeAt(standard.length - 3) + 1)}==`),
    'unused bits set',
  )
  await refused(t, valued(`-/${standard.slice(2)}`), 'two alphabets mixed')
  t.equal(verdictOf(await send(gateway, valued(Buffer.from(standard, 'base64').toString('base64url')))), 'S SUCCESS')
  t.equal(gateway.published.length, 1)
})

t.test('I2 percent-encoding is undone exactly once', async (t) => {
  const once = encodeURIComponent(standard)
  t.equal(verdictOf(await send(gateway, valued(once))), 'S SUCCESS')
  await refused(t, valued(encodeURIComponent(once)), 'twice')
  await refused(t, valued(`${once}%`), 'broken')
  t.equal(
    (
      await send(
        gateway,
        bluePayRequest(
          Buffer.from(
            JSON.stringify({
              param: bluePayParam,
              sign: encodeURIComponent(rsaSign(bluePayParam, keyPair('bluepay')).toString('base64')),
            }),
          ),
        ),
      )
    ).status,
    401,
    'BluePay does not percent-encode',
  )
})

t.test('I3 invalid UTF-8: verified over the bytes, never over a repaired text', async (t) => {
  const repaired = Buffer.from('{"a":"\ufffd"}')
  const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')])
  await refused(t, { ...signAlipayPlus({ ...parts, body: repaired }), body: broken }, 'signed for the repaired text')
  t.equal(verdictOf(await send(gateway, signAlipayPlus({ ...parts, body: broken }))), 'S SUCCESS', 'signed for these bytes: kept')
  t.same(gateway.opener.open('alipayplus', clientId, gateway.published[0]?.value as Buffer), broken)
})

t.test('I4 a signed header twice, in other case, folded, or with a comma: refused unless there is exactly one', async (t) => {
  const request = signAlipayPlus(parts)
  const headers = headersOf(request)
  for (const name of ['Signature', 'Client-Id', 'Request-Time']) {
    const [, value = ''] = headers.find(([each]) => each === name) ?? []
    for (const twice of [
      [...headers, [name.toUpperCase(), value]],
      [[name.toLowerCase(), 'x'], ...headers],
    ] as [string, string][][]) {
      const { reply } = await sendRaw(gateway.port, requestBytes({ target: request.path, headers: twice, body }))
      t.equal(reply && verdictOf(reply), 'F INVALID_SIGNATURE', `${name} twice`)
    }
  }
  const [, signature = ''] = headers.find(([name]) => name === 'Signature') ?? []
  const joined = headers.map(([name, value]): [string, string] => [
    name,
    name === 'Signature' ? `${signature}, ${signature}` : value,
  ])
  t.equal(
    verdictOf((await sendRaw(gateway.port, requestBytes({ target: request.path, headers: joined, body }))).reply!),
    'F INVALID_SIGNATURE',
    'two joined by a proxy',
  )
  const folded = headers.map(([name, value]): [string, string] => [
    name,
    name === 'Signature' ? value.replace(', ', ',\r\n ') : value,
  ])
  t.equal(
    (await sendRaw(gateway.port, requestBytes({ target: request.path, headers: folded, body }))).reply?.status,
    400,
    'folded',
  )
  t.equal(gateway.published.length, 0)
})

t.test(
  'I5 the algorithm is ours to say: anything but RSA256 is refused, and RSA256 means SHA-256 with PKCS#1 v1.5',
  async (t) => {
    for (const algorithm of ['HMAC-SHA256', 'none', 'RSASSA-PSS', 'SHA1withRSA', 'rsa256', 'RSA512', '']) {
      await refused(t, withSignature(`algorithm=${algorithm},keyVersion=1,signature=${standard}`), algorithm)
    }
  },
)

t.test('I6 a version that is unknown, retired, future, repeated or a path: refused', async (t) => {
  for (const version of ['0', '2', '01', '1 ', '1,keyVersion=2', '../../etc/passwd', '1%00', '__proto__', '*', '']) {
    const header = `algorithm=RSA256,keyVersion=${version},signature=${standard}`
    if (version === '1 ')
      t.equal(verdictOf(await send(gateway, withSignature(header))), 'S SUCCESS', 'blanks around a value are documented')
    else await refused(t, withSignature(header), version)
  }
})

t.test('I7 a body changed on the way: only the raw bytes count, and no content coding', async (t) => {
  const request = signAlipayPlus(parts)
  const changes = [JSON.stringify(JSON.parse(body.toString()), null, 1), ` ${body}`, `${body}\r\n`, `\ufeff${body}`]
  for (const changed of changes)
    await refused(t, { ...request, body: Buffer.from(changed) }, JSON.stringify(changed.slice(0, 12)))
  for (const coding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
    const reply = await send(gateway, { ...request, headers: { ...request.headers, 'Content-Encoding': coding } })
    t.same([reply.status, verdictOf(reply)], [415, 'F MEDIA_TYPE_NOT_ACCEPTABLE'], coding)
  }
})
