import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { createAnswerSigner } from '../../services/gateway/answer-signer.ts'
import {
  alipayplusAcknowledgement,
  formatTime,
  judgeAlipayplus,
  signAlipayplus,
  signedText,
} from '../../services/operator/simulator/alipayplus-wire.ts'
import {
  bluepayAcknowledgement,
  flatText,
  judgeBluepay,
  signBluepay,
  signBluepayText,
} from '../../services/operator/simulator/bluepay-wire.ts'
import type { HttpAnswer, HttpRequest } from '../../services/operator/simulator/http.ts'
import type { AlipayplusSender, BluepaySender } from '../../services/operator/simulator/senders.ts'
import { documentedStyle } from '../../services/operator/simulator/spelling.ts'
import { retryPausesMs } from '../../services/operator/simulator/wire.ts'

type Vector = Record<
  'id' | 'publicKeySpkiBase64' | 'path' | 'clientId' | 'time' | 'body' | 'signatureHeaderValue' | 'param' | 'sign',
  string
> & { expect: boolean }
const { vectors } = JSON.parse(readFileSync(new URL('../fixtures/provider-vectors.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}
const publicKey = (base64: string) => createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' })

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const [theirs, answers] = [pair(), pair()]
const pkcs8 = (key: ReturnType<typeof pair>) => key.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
const alipayplus: AlipayplusSender = {
  ...{ clientId: 'CLIENT', keyVersion: '3', state: 'active', path: '/authNotify', merchants: [{ authClientId: 'm' }] },
  privateKey: pkcs8(theirs),
  answerPublicKey: answers.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
}
const bluepay: BluepaySender = {
  account: 'ph',
  pathId: 'p',
  path: '/b/p',
  style: 'param',
  privateKey: pkcs8(theirs),
  channelCode: 'C',
}
const header = (request: HttpRequest, name: string) => request.headers.find(([given]) => given.toLowerCase() === name)?.[1] ?? ''

t.test('what is signed is what the published vectors signed', async (t) => {
  for (const { id, expect, publicKeySpkiBase64, path, clientId, time, body, signatureHeaderValue, param, sign } of vectors) {
    const text = param === undefined ? signedText(path, clientId, time, Buffer.from(body)) : Buffer.from(param)
    const signature = Buffer.from(param === undefined ? decodeURIComponent(signatureHeaderValue) : sign, 'base64')
    t.equal(verify('sha256', text, publicKey(publicKeySpkiBase64), signature), expect, id)
  }
})

t.test('an Alipay+ request verifies in every spelling of its signature, time and headers', async (t) => {
  const now = Date.parse('2026-11-22T05:12:12.090Z')
  const body = Buffer.from('{"a":"ü"}')
  for (const signature of ['percent-encoded', 'base64', 'base64url'] as const) {
    for (const [time, text] of Object.entries({
      offset: '2026-11-22T13:12:12+08:00',
      utc: '2026-11-22T05:12:12Z',
      fraction: '2026-11-22T05:12:12.09Z',
      epoch: String(now),
    })) {
      const request = signAlipayplus(
        alipayplus,
        body,
        { ...documentedStyle, signature, time: time as 'utc', headers: 'lower-case', separator: ',' },
        now,
      )
      t.equal(header(request, 'request-time'), text)
      const [, value] = /^algorithm=RSA256,keyVersion=3,signature=(.+)$/.exec(header(request, 'signature')) ?? []
      const bytes = Buffer.from(decodeURIComponent(value ?? ''), signature === 'base64url' ? 'base64url' : 'base64')
      t.ok(
        verify('sha256', Buffer.from(`POST /authNotify\nCLIENT.${text}.{"a":"ü"}`), theirs.publicKey, bytes),
        `${signature}, ${time}`,
      )
    }
  }
  t.equal(formatTime(now + 5, 'fraction'), '2026-11-22T05:12:12.09Z')
})

t.test('a BluePay request carries param as it was signed; the flat one its fields sorted, the empty ones left out', async (t) => {
  const fields = { userId: 'u', eventName: 'e', requestId: '', countryCode: null, channelCode: 'C' }
  const { param, sign } = JSON.parse(signBluepay(bluepay, fields, documentedStyle).body.toString()) as {
    param: string
    sign: string
  }
  t.equal(param, JSON.stringify(fields))
  t.ok(verify('sha256', Buffer.from(param), theirs.publicKey, Buffer.from(sign, 'base64')))

  const flat = JSON.parse(signBluepay({ ...bluepay, style: 'flat' }, fields, documentedStyle).body.toString()) as Record<
    string,
    string
  >
  t.same(Object.keys(flat), [...Object.keys(fields), 'sign'])
  t.equal(flatText(fields), 'channelCode=C&eventName=e&userId=u')
  t.ok(
    verify('sha256', Buffer.from('channelCode=C&eventName=e&userId=u'), theirs.publicKey, Buffer.from(flat.sign ?? '', 'base64')),
  )
  t.equal(signBluepayText(bluepay, 'x'), signBluepayText(bluepay, 'x'), 'no time in it: the same bytes for ever')
})

t.test("an Alipay+ answer is judged by its words and by the gateway's signature", async (t) => {
  const signAnswer = createAnswerSigner(alipayplus.path, { keyVersion: '1', key: answers.privateKey })
  const answer = (body: string, change: Partial<HttpAnswer['headers']> = {}): HttpAnswer => {
    const signed = Object.entries(signAnswer(alipayplus.clientId, body, Date.now())).map(([name, value]) => [
      name.toLowerCase(),
      value,
    ])
    return { status: 200, headers: { ...Object.fromEntries(signed), ...change }, body }
  }
  const judge = (given: HttpAnswer) => judgeAlipayplus(alipayplus, given)
  t.same(judge(answer(alipayplusAcknowledgement)), { result: 'acknowledged', code: 'SUCCESS', mistakes: [] })
  t.match(judge(answer(alipayplusAcknowledgement, { signature: undefined })).mistakes, ['the acknowledgement is not signed'])
  t.match(judge(answer(alipayplusAcknowledgement, { 'response-time': '2026-01-01T00:00:00Z' })).mistakes, [
    /signature does not verify/,
  ])
  t.match(judge(answer(alipayplusAcknowledgement, { 'client-id': 'OTHER' })).mistakes, [/signature does not verify/])
  t.match(
    judge({ ...answer(alipayplusAcknowledgement), body: alipayplusAcknowledgement.replace('success', 'Success') }).mistakes,
    { length: 2 },
  )
  const unknown = '{"result":{"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U","resultMessage":"x"}}'
  t.same(judge(answer(unknown)), { result: 'call-again', code: 'UNKNOWN_EXCEPTION', mistakes: [] })
  const invalid = '{"result":{"resultCode":"INVALID_SIGNATURE","resultStatus":"F","resultMessage":"x"}}'
  t.same(judge({ status: 200, headers: {}, body: invalid }), { result: 'refused', code: 'INVALID_SIGNATURE', mistakes: [] })
  t.same(judge({ status: 502, headers: {}, body: '<html>' }), {
    result: 'refused',
    code: 'HTTP 502',
    mistakes: ['the body has no result'],
  })
})

t.test('a BluePay answer is 10000 to the letter, or something else', async (t) => {
  const judge = (status: number, body: string) => judgeBluepay({ status, headers: {}, body })
  t.same(judge(200, bluepayAcknowledgement), { result: 'acknowledged', code: '10000', mistakes: [] })
  t.match(judge(200, '{"code": 10000,"message":"Success"}'), { result: 'acknowledged', mistakes: [/worded/] })
  t.match(judge(202, bluepayAcknowledgement), { mistakes: [/HTTP 202/] })
  t.match(judge(401, '{"code":401,"message":"no"}'), { result: 'refused', code: '401', mistakes: [] })
  t.match(judge(503, '{"code":503,"message":"no"}'), { result: 'call-again' })
  t.match(judge(200, '{"code":"10000"}'), { result: 'refused', mistakes: ['the body has no code'] })
})

t.test('Alipay+ retries by its schedule, 24 h 22 min in all; BluePay does not', async (t) => {
  t.same(retryPausesMs('alipayplus', 60_000), [2, 10, 10, 60, 120, 360, 900])
  t.equal(
    retryPausesMs('alipayplus', 1).reduce((sum, ms) => sum + ms),
    (24 * 60 + 22) * 60_000,
  )
  t.same(retryPausesMs('bluepay', 1), [])
})
