/** What Alipay+ never sent, or what is no notification: refused, each with the answer of `design.md` §4. */
import { constants, createHmac, type KeyObject, sign } from 'node:crypto'
import { encodeSignature, signedText } from '../simulator/alipayplus-wire.ts'
import type { HttpRequest } from '../simulator/http.ts'
import { privateKeyOf, publicKeyOf } from '../simulator/senders.ts'
import { cancellation, headerOf, type Parts, signatureOf, valid, withHeader, withSignature } from './alipayplus-forms.ts'
import { valid as bluepayValid, param } from './bluepay-forms.ts'
import { type Case, casesOf, type Kit, type Requests } from './case.ts'
import { alike, refused, unverified, withStatus } from './expectations.ts'

const hourMs = 60 * 60 * 1000

/** The same request signed in another way over another text. */
function resigned(kit: Kit, make: (text: Buffer, key: KeyObject, body: Buffer) => Buffer, path?: string): HttpRequest {
  const request = valid(kit)
  const text = signedText(path ?? request.path, headerOf(request, 'Client-Id'), headerOf(request, 'Request-Time'), request.body)
  const signature = make(text, privateKeyOf(kit.alipayplus.active.privateKey), request.body)
  return withSignature(request, () => encodeSignature(signature, 'percent-encoded'))
}
const sha256 = (text: Buffer, key: KeyObject) => sign('sha256', text, { key, padding: constants.RSA_PKCS1_PADDING })
const pss = (text: Buffer, key: KeyObject) => sign('sha256', text, { key, padding: constants.RSA_PKCS1_PSS_PADDING })
const sha1 = (text: Buffer, key: KeyObject) => sign('sha1', text, { key, padding: constants.RSA_PKCS1_PADDING })

/** The classic confusion: an HMAC keyed with the public key's own text. */
function hmac(kit: Kit): HttpRequest {
  const publicText = publicKeyOf(kit.alipayplus.active.answerPublicKey).export({ type: 'spki', format: 'pem' })
  const request = resigned(kit, (text) => createHmac('sha256', publicText).update(text).digest())
  return algorithm(request, 'HMACSHA256')
}
const algorithm = (request: HttpRequest, name: string) =>
  withHeader(request, 'Signature', (value) => value.replace('RSA256', name))
const keyVersion = (kit: Kit, text: string, parts: Parts = {}) =>
  withHeader(valid(kit, parts), 'Signature', (value) => value.replace(/keyVersion=[^,]*/, text))

const flipped = (base64: string) => (base64.startsWith('A') ? `B${base64.slice(1)}` : `A${base64.slice(1)}`)
const changed = (request: HttpRequest, change: (body: string) => string): HttpRequest => ({
  ...request,
  body: Buffer.from(change(request.body.toString())),
})
const again = (kit: Kit, name: string, textFrom: (request: HttpRequest) => string): HttpRequest => {
  const request = valid(kit)
  return { ...request, headers: [...request.headers, [name, textFrom(request)]] }
}
/** A percent-encoded signature may hold anything: blanks and junk reach the base64 decoder, which would pass over them. */
const spelled = (kit: Kit, change: (base64: string) => string) =>
  withSignature(valid(kit), (base64) => encodeURIComponent(change(base64)))
/** A 2048-bit signature ends in `==` after a digit of which four bits count for nothing. */
const trailingBits = (base64: string) => base64.replace(/(.)==$/, (_, last: string) => `${nextDigit(last)}==`)
const nextDigit = (digit: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[alphabet.indexOf(digit) ^ 1] as string
}

const forged: Requests = {
  'signature-bit-flipped': [
    'one bit of the signature flipped',
    (kit) => withSignature(valid(kit), (text) => encodeURIComponent(flipped(text))),
  ],
  'signature-missing': ['no Signature header', (kit) => withHeader(valid(kit), 'Signature', () => undefined)],
  'signature-empty': ['an empty signature', (kit) => withSignature(valid(kit), () => '')],
  'signature-truncated': [
    'a signature one byte short',
    (kit) => spelled(kit, (text) => Buffer.from(text, 'base64').subarray(1).toString('base64')),
  ],
  'signature-sha1': ['SHA-1 instead of SHA-256', (kit) => resigned(kit, sha1)],
  'signature-pss': ['RSA-PSS under the name of RSA256', (kit) => resigned(kit, pss)],
  'signature-of-other-path': ['signed for another path', (kit) => resigned(kit, sha256, '/aps/api/v1/authorizations/other')],
  'signature-of-slashed-path': [
    'signed for the path with a second slash',
    (kit) => resigned(kit, sha256, `/${kit.alipayplus.active.path}`),
  ],
  'signature-of-body-alone': ['signed over the body alone', (kit) => resigned(kit, (_, key, body) => sha256(body, key))],
  'signature-by-other-client': [
    "signed with another client's key",
    (kit) => valid(kit, { sender: { ...kit.alipayplus.active, privateKey: kit.alipayplus.single.privateKey } }),
  ],
  'algorithm-hmac': ['an HMAC keyed with a public key', hmac],
  'algorithm-none': ['algorithm=none', (kit) => algorithm(valid(kit), 'none')],
  'algorithm-lower-case': ['algorithm=rsa256', (kit) => algorithm(valid(kit), 'rsa256')],
  'algorithm-absent': [
    'no algorithm',
    (kit) => withHeader(valid(kit), 'Signature', (value) => value.replace('algorithm=RSA256, ', '')),
  ],
  'algorithm-twice': ['two algorithms', (kit) => withHeader(valid(kit), 'Signature', (value) => `algorithm=none, ${value}`)],
  'base64-blank': ['a blank inside the base64', (kit) => spelled(kit, (text) => `${text.slice(0, 9)} ${text.slice(9)}`)],
  'base64-junk': ['junk inside the base64', (kit) => spelled(kit, (text) => `${text.slice(0, 9)}*${text.slice(9)}`)],
  'base64-after-padding': ['text after the padding', (kit) => spelled(kit, (text) => `${text}AAAA`)],
  'base64-no-padding': ['standard base64 without padding', (kit) => spelled(kit, (text) => text.replace(/=+$/, ''))],
  'base64-trailing-bits': ['other bits where none count', (kit) => spelled(kit, trailingBits)],
  'base64-mixed': ['both alphabets in one text', (kit) => withSignature(valid(kit), (text) => `+-${text.slice(2)}`)],
  'percent-encoded-twice': [
    'percent-encoded twice',
    (kit) => withSignature(valid(kit), (text) => encodeURIComponent(encodeURIComponent(text))),
  ],
  'percent-broken': ['a percent sign without digits', (kit) => withSignature(valid(kit), (text) => `${text.slice(0, 9)}%zz`)],
  'body-changed': ['one letter of the body changed', (kit) => changed(valid(kit), (body) => body.replace('PSP', 'PSQ'))],
  'body-spaced': ['the same JSON with other blanks', (kit) => changed(valid(kit), (body) => body.replace(':', ': '))],
  'body-line-break': ['a line break after the body', (kit) => changed(valid(kit), (body) => `${body}\n`)],
  'body-empty': ['no body', (kit) => changed(valid(kit), () => '')],
  'body-broken-unsigned': ['JSON that breaks off, not signed', (kit) => changed(valid(kit), (body) => body.slice(0, -9))],
  'time-changed': [
    'another Request-Time than was signed',
    (kit) => withHeader(valid(kit), 'Request-Time', () => '2026-01-01T00:00:00Z'),
  ],
  'time-same-moment': [
    'the same moment in another zone',
    (kit) => withHeader(valid(kit), 'Request-Time', () => new Date(kit.now).toISOString()),
  ],
  'time-missing': ['no Request-Time', (kit) => withHeader(valid(kit), 'Request-Time', () => undefined)],
  'time-twice': ['two Request-Time headers', (kit) => again(kit, 'Request-Time', (request) => headerOf(request, 'Request-Time'))],
  'client-missing': ['no Client-Id', (kit) => withHeader(valid(kit), 'Client-Id', () => undefined)],
  'client-twice': ['two Client-Id headers', (kit) => again(kit, 'Client-Id', () => kit.alipayplus.single.clientId)],
  'client-unknown': ['a client that nobody knows', (kit) => withHeader(valid(kit), 'Client-Id', () => 'SANDBOX_UNKNOWN')],
  'client-replaced': [
    "one client's request sent as another's",
    (kit) => withHeader(valid(kit), 'Client-Id', () => kit.alipayplus.single.clientId),
  ],
  'signature-header-twice': [
    'two Signature headers',
    (kit) => again(kit, 'Signature', (request) => headerOf(request, 'Signature')),
  ],
  'signature-header-twice-in-other-case': [
    'signature beside Signature',
    (kit) => again(kit, 'signature', (request) => headerOf(request, 'Signature')),
  ],
  'other-provider': [
    'a notification of BluePay',
    (kit) => ({ ...valid(kit), headers: [['Content-Type', 'application/json']], body: bluepayValid(kit, param).body }),
  ],
  'key-retired': ['a retired key', (kit) => valid(kit, { sender: kit.alipayplus.retired })],
  'key-unknown': ['a key version that nobody knows', (kit) => keyVersion(kit, 'keyVersion=99')],
  'key-path-trick': ['a path in the key version', (kit) => keyVersion(kit, 'keyVersion=../../1')],
  'key-prototype': ['keyVersion=__proto__', (kit) => keyVersion(kit, 'keyVersion=__proto__')],
  'key-twice': ['two key versions', (kit) => keyVersion(kit, 'keyVersion=1, keyVersion=2')],
  'key-other-active': [
    "the version of the client's other key",
    (kit) => keyVersion(kit, `keyVersion=${kit.alipayplus.rotated.keyVersion}`),
  ],
}

const stale: Requests = {
  'too-old': ['signed 100 hours ago', (kit) => valid(kit, { at: kit.now - 100 * hourMs })],
  'from-the-future': ['signed for tomorrow', (kit) => valid(kit, { at: kit.now + 24 * hourMs })],
}

const at = (change: (path: string) => string) => (kit: Kit) => ({ ...valid(kit), path: change(valid(kit).path) })
const paths: Requests = {
  'path-unknown': ['another path', at(() => '/aps/api/v1/authorizations/other')],
  'path-slash': ['a slash at the end', at((path) => `${path}/`)],
  'path-double-slash': ['a second slash', at((path) => `/${path}`)],
  'path-escaped': ['a letter as %xx', at((path) => path.replace('authNotify', '%61uthNotify'))],
  'path-case': ['the path in upper case', at((path) => path.toUpperCase())],
  'path-dots': ['dots in the path', at((path) => path.replace('/v1/', '/v1/./'))],
  'path-query': ['a query string that nobody signed', at((path) => `${path}?a=1`)],
}
const method = (name: string): Requests[string] => [name, (kit) => ({ ...valid(kit), method: name })]
const mediaType = (name: string, type: string): Requests[string] => [
  name,
  (kit) => withHeader(valid(kit), 'Content-Type', () => type),
]
const large = (kit: Kit) => JSON.stringify(cancellation(kit, kit.alipayplus.active, { filler: 'x'.repeat(64 * 1024) }))

export const alipayplusRefused: Case[] = [
  ...casesOf('alipayplus/forged', true, unverified.alipayplus, forged),
  ...casesOf('alipayplus/stale', true, refused.alipayplus, stale),
  ...casesOf('alipayplus/http', true, withStatus(404), paths),
  ...casesOf('alipayplus/http', true, withStatus(405), {
    'method-get': method('GET'),
    'method-put': method('PUT'),
    'method-delete': method('DELETE'),
  }),
  ...casesOf('alipayplus/http', true, withStatus(415), {
    'type-text': mediaType('text/plain', 'text/plain'),
    'type-form': mediaType('a form', 'application/x-www-form-urlencoded'),
    'type-utf16': mediaType('JSON in UTF-16', 'application/json; charset=utf-16'),
    'coding-gzip': ['Content-Encoding: gzip', (kit) => again(kit, 'Content-Encoding', () => 'gzip')],
  }),
  ...casesOf('alipayplus/http', true, withStatus(413), {
    'too-large': ['more than 64 KiB, signed', (kit) => valid(kit, { body: large(kit) })],
  }),
  ...casesOf('alipayplus/forged', true, alike, {
    'reasons-alike': [
      'unknown client, unknown key, retired key, bad signature: one answer',
      (kit) => [
        withHeader(valid(kit), 'Client-Id', () => 'SANDBOX_UNKNOWN'),
        keyVersion(kit, 'keyVersion=99'),
        valid(kit, { sender: kit.alipayplus.retired }),
        withSignature(valid(kit), () => encodeURIComponent(flipped(signatureOf(valid(kit))))),
      ],
    ],
  }),
]
