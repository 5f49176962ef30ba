/** What BluePay and PayCools never sent, or what is no notification. */
import { constants, sign } from 'node:crypto'
import type { HttpRequest } from '../simulator/http.ts'
import type { Style } from '../simulator/notification.ts'
import { privateKeyOf } from '../simulator/senders.ts'
import { valid as alipayplusValid } from './alipayplus-forms.ts'
import { flat, longKey, members, param, rebuilt, signedParam, valid } from './bluepay-forms.ts'
import { type Case, casesOf, type Kit, type Requests } from './case.ts'
import { refused, unverified, withStatus } from './expectations.ts'

const otherHash = (kit: Kit, hash: string, padding: number) =>
  members(kit, ({ param: text }) => {
    const key = privateKeyOf(param(kit).privateKey)
    return { param: text, sign: sign(hash, Buffer.from(text), { key, padding }).toString('base64') }
  })
const resigned = (kit: Kit, change: (sign: string) => string) =>
  members(kit, ({ param, sign }) => ({ param, sign: change(sign) }))
const sentTo = (request: HttpRequest, path: string): HttpRequest => ({ ...request, path })

const forged: Requests = {
  'sign-bit-flipped': [
    'one bit of the signature flipped',
    (kit) => resigned(kit, (sign) => (sign.startsWith('A') ? 'B' : 'A') + sign.slice(1)),
  ],
  'sign-empty': ['an empty signature', (kit) => resigned(kit, () => '')],
  'sign-truncated': ['a signature cut short', (kit) => resigned(kit, (sign) => sign.slice(0, 40))],
  'sign-percent-encoded': ['a percent-encoded signature', (kit) => resigned(kit, encodeURIComponent)],
  'sign-base64url': [
    'base64url, which nobody documents here',
    (kit) => resigned(kit, (sign) => Buffer.from(sign, 'base64').toString('base64url')),
  ],
  'sign-junk': ['junk inside the base64', (kit) => resigned(kit, (sign) => `${sign.slice(0, 9)}\n${sign.slice(9)}`)],
  'sign-sha1': ['SHA-1 instead of SHA-256', (kit) => otherHash(kit, 'sha1', constants.RSA_PKCS1_PADDING)],
  'sign-pss': ['RSA-PSS', (kit) => otherHash(kit, 'sha256', constants.RSA_PKCS1_PSS_PADDING)],
  'param-changed': [
    'one letter of param changed',
    (kit) => members(kit, ({ param, sign }) => ({ param: param.replace('ACTIVED', 'ACTIVEE'), sign })),
  ],
  'param-reserialised': [
    'the same JSON with other blanks',
    (kit) => members(kit, ({ param, sign }) => ({ param: JSON.stringify(JSON.parse(param), null, 1), sign })),
  ],
  'account-unknown': [
    'an account path that nobody knows',
    (kit) => sentTo(valid(kit, param), param(kit).path.replace(/[^/]+$/, 'AAAAAAAAAAAAAAAAAAAAAA')),
  ],
  'account-other': ["one account's notification sent to another", (kit) => sentTo(valid(kit, param), longKey(kit).path)],
  'flat-to-param': ['the flat form to a {param, sign} account', (kit) => sentTo(valid(kit, flat), param(kit).path)],
  'param-to-flat': ['{param, sign} to a flat account', (kit) => sentTo(valid(kit, param), flat(kit).path)],
  'flat-changed': [
    'a flat field changed',
    (kit) => {
      const request = valid(kit, flat)
      return { ...request, body: Buffer.from(request.body.toString().replace('ACTIVED', 'ACTIVEE')) }
    },
  ],
}

/** Where no signed text can be told at all, an answer may say so (400). */
const malformed: Requests = {
  'outer-broken': ['JSON that breaks off', (kit) => rebuilt(kit, (given) => JSON.stringify(given).slice(0, -5))],
  'outer-array': ['an array', (kit) => rebuilt(kit, (given) => JSON.stringify([given]))],
  'outer-empty': ['no body', (kit) => rebuilt(kit, () => '')],
  'outer-param-twice': ['param twice', (kit) => rebuilt(kit, (given) => JSON.stringify(given).replace(/}$/, ',"param":"{}"}'))],
  'outer-param-twice-escaped': [
    'param twice, once escaped',
    (kit) => rebuilt(kit, (given) => JSON.stringify(given).replace(/}$/, ',"p\\u0061ram":"{}"}')),
  ],
  'param-object': [
    'param as an object: the signed text is unknown',
    (kit) => members(kit, ({ param, sign }) => ({ param: JSON.parse(param), sign })),
  ],
  'param-missing': ['no param', (kit) => members(kit, ({ sign }) => ({ sign }))],
  'other-provider': ['a notification of Alipay+', (kit) => ({ ...valid(kit, param), body: alipayplusValid(kit).body })],
  'sign-missing': ['no sign', (kit) => members(kit, ({ param }) => ({ param }))],
  'invalid-utf8': [
    'a byte that is no UTF-8',
    (kit) => {
      const request = valid(kit, param)
      return { ...request, body: Buffer.concat([request.body.subarray(0, -2), Buffer.from([0xff]), request.body.subarray(-2)]) }
    },
  ],
}

const typed = (kit: Kit, type: string) => valid(kit, param, undefined, { contentType: type as Style['contentType'] })

export const bluepayRefused: Case[] = [
  ...casesOf('bluepay/forged', true, unverified.bluepay, forged),
  ...casesOf('bluepay/malformed', true, refused.bluepay, malformed),
  ...casesOf('bluepay/http', true, withStatus(404), {
    'no-account': ['no account in the path', (kit) => sentTo(valid(kit, param), param(kit).path.replace(/\/[^/]+$/, ''))],
    'path-slash': ['a slash at the end', (kit) => sentTo(valid(kit, param), `${param(kit).path}/`)],
    'path-query': ['a query string', (kit) => sentTo(valid(kit, param), `${param(kit).path}?a=1`)],
  }),
  ...casesOf('bluepay/http', true, withStatus(405), {
    'method-get': ['GET', (kit) => ({ ...valid(kit, param), method: 'GET' })],
  }),
  ...casesOf('bluepay/http', true, withStatus(415), { 'type-text': ['text/plain', (kit) => typed(kit, 'text/plain')] }),
  ...casesOf('bluepay/http', true, withStatus(413), {
    'too-large': ['more than 64 KiB, signed', (kit) => signedParam(kit, (json) => json + ' '.repeat(64 * 1024))],
  }),
]
