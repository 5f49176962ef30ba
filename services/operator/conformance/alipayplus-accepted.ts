/** Every documented form of Alipay+'s request, and what verifies without being understood: all of it is kept and acknowledged. */
import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import { upperHex } from '../simulator/random.ts'
import { cancellation, valid, withHeader, withSignature } from './alipayplus-forms.ts'
import { type Case, casesOf, type Kit, type Requests } from './case.ts'
import { acknowledged } from './expectations.ts'

const hourMs = 60 * 60 * 1000

const code = (kit: Kit): Fields => {
  const { accessToken: _, tokenCancelSource: __, ...rest } = cancellation(kit, kit.alipayplus.active)
  return {
    ...rest,
    authorizationNotifyType: 'AUTHCODE_CREATED',
    authCode: kit.random.text(upperHex, 32),
    authState: kit.random.text(upperHex, 32),
  }
}
const created = (kit: Kit): Fields => ({
  ...cancellation(kit, kit.alipayplus.active, { tokenCancelSource: undefined }),
  authorizationNotifyType: 'TOKEN_CREATED',
  referenceAgreementId: kit.random.text(upperHex, 20),
  accessTokenExpiryTime: '2028-06-06T12:12:12+08:00',
  refreshToken: kit.random.text(upperHex, 40),
  refreshTokenExpiryTime: '2028-06-08T12:12:12+08:00',
  scopes: ['AGREEMENT_PAY', 'USER_LOGIN_ID'],
  customerId: '278980891234567891234567891',
  userLoginId: '62-34312736',
})
const canceled = (kit: Kit, more: Fields) => cancellation(kit, kit.alipayplus.active, more)
const fields = (kit: Kit, more: Fields) => valid(kit, { fields: canceled(kit, more) })
const reordered = (kit: Kit) => withHeader(valid(kit), 'Signature', (value) => value.split(', ').reverse().join(', '))
const rewritten = (kit: Kit, rewrite: (value: string) => string) => withHeader(valid(kit), 'Signature', rewrite)

const documented: Requests = {
  'authcode-created': ['AUTHCODE_CREATED with the fields of the reference page', (kit) => valid(kit, { fields: code(kit) })],
  'token-created': ['TOKEN_CREATED with the fields of the reference page', (kit) => valid(kit, { fields: created(kit) })],
  'token-canceled-acquirer': ['TOKEN_CANCELED by the merchant side', (kit) => fields(kit, { tokenCancelSource: 'ACQUIRER' })],
  'token-canceled-psp': ['TOKEN_CANCELED by the wallet side', (kit) => fields(kit, { tokenCancelSource: 'PSP' })],
  'signature-percent-encoded': ['base64, percent-encoded, as the examples show', (kit) => valid(kit)],
  'signature-percent-lower-case': [
    'percent-encoded with lower-case hex digits',
    (kit) => rewritten(kit, (value) => value.replace(/%[0-9A-F]{2}/g, (encoded) => encoded.toLowerCase())),
  ],
  'signature-base64': ['bare base64, with + / and = in it', (kit) => valid(kit, { style: { signature: 'base64' } })],
  'signature-base64url': ['base64url without padding', (kit) => valid(kit, { style: { signature: 'base64url' } })],
  'signature-base64url-padded': [
    'base64url with padding',
    (kit) => withSignature(valid(kit), (base64) => base64.replaceAll('+', '-').replaceAll('/', '_')),
  ],
  'header-members-reordered': ['signature first, algorithm last', reordered],
  'header-no-blanks': ['members joined by a comma alone', (kit) => valid(kit, { style: { separator: ',' } })],
  'header-many-blanks': ['blanks around every comma', (kit) => rewritten(kit, (value) => value.replaceAll(', ', '  ,   '))],
  'header-member-case': [
    'Algorithm, KeyVersion and Signature',
    (kit) => rewritten(kit, (value) => value.replace('keyVersion', 'KeyVersion')),
  ],
  'header-names-lower-case': ['client-id, request-time, signature', (kit) => valid(kit, { style: { headers: 'lower-case' } })],
  'key-version-absent': [
    'no keyVersion, from a client with one key',
    (kit) =>
      withHeader(valid(kit, { sender: kit.alipayplus.single }), 'Signature', (value) => value.replace(/keyVersion=[^,]*, /, '')),
  ],
  'key-rotation': [
    'both keys of a client while a rotation is under way',
    (kit) => [valid(kit), valid(kit, { sender: kit.alipayplus.rotated })],
  ],
  'time-offset': ['Request-Time with an offset', (kit) => valid(kit, { style: { time: 'offset' } })],
  'time-utc': ['Request-Time with Z', (kit) => valid(kit, { style: { time: 'utc' } })],
  'time-fraction': ['Request-Time with two fraction digits', (kit) => valid(kit, { style: { time: 'fraction' } })],
  'time-epoch': ['Request-Time as 13 digits', (kit) => valid(kit, { style: { time: 'epoch' } })],
  'time-last-retry': ['sent 24 h 22 min ago, as the last retry may be', (kit) => valid(kit, { at: kit.now - 24.4 * hourMs })],
  'content-type-plain': [
    'application/json without a charset',
    (kit) => valid(kit, { style: { contentType: 'application/json' } }),
  ],
  'content-type-absent': ['no Content-Type, which is optional', (kit) => withHeader(valid(kit), 'Content-Type', () => undefined)],
  'body-pretty': ['indented JSON', (kit) => valid(kit, { body: JSON.stringify(canceled(kit, {}), null, 4) })],
  'body-crlf': [
    'lines end in CR LF',
    (kit) => valid(kit, { body: JSON.stringify(canceled(kit, {}), null, 2).replaceAll('\n', '\r\n') }),
  ],
  'fields-null': ['unused fields as null', (kit) => fields(kit, { referenceAgreementId: null, customerId: null })],
  'fields-empty': ['unused fields as ""', (kit) => fields(kit, { referenceAgreementId: '', customerId: '' })],
  'fields-unknown': [
    'fields that nobody documented',
    (kit) => fields(kit, { extendInfo: '{"a":"b"}', sinceTomorrow: ['x', { y: '1' }] }),
  ],
  'fields-not-strings': ['integers and booleans that are no strings', (kit) => fields(kit, { count: 20, isTest: true })],
  'text-not-ascii': ['text in many scripts', (kit) => fields(kit, { walletName: '支付宝 ทรูมันนี่ 🧧' })],
  'text-escaped': [
    'field names and values written with \\u escapes',
    (kit) => valid(kit, { body: escapeAll(canceled(kit, {})) }),
  ],
  'repeat-identical': ['the same bytes twice', (kit) => twice(valid(kit))],
  'repeat-signed-anew': [
    'the same content at two times',
    (kit) => {
      const same = canceled(kit, {})
      return [valid(kit, { fields: same }), valid(kit, { fields: same, at: kit.now + 1000 })]
    },
  ],
  'repeat-together': ['eight copies at once', (kit) => Array.from<ReturnType<typeof valid>>({ length: 8 }).fill(valid(kit))],
}

const twice = <T>(one: T): T[] => [one, one]
const escapeAll = (value: Fields) =>
  JSON.stringify(value).replace(/[A-Za-z]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)

const json = (kit: Kit, more: Fields = {}) => JSON.stringify(canceled(kit, more))
const withMember = (kit: Kit, member: string) => json(kit).replace(/}$/, `,${member}}`)
const signed = (title: string, body: (kit: Kit) => string | Buffer): Requests[string] => [
  `signed: ${title}`,
  (kit) => valid(kit, { body: body(kit) }),
]

/** `design.md` P2: what verifies is stored and acknowledged even if it cannot be understood; the normalizer dead-letters it. */
const verifiedOnly: Requests = {
  'unknown-type': signed('a type that nobody documented', (kit) => json(kit, { authorizationNotifyType: 'TOKEN_SUSPENDED' })),
  'missing-field': signed('no accessToken', (kit) => json(kit, { accessToken: undefined })),
  'broken-json': signed('JSON that breaks off', (kit) => json(kit).slice(0, -5)),
  'not-an-object': signed('a JSON array', (kit) => `[${json(kit)}]`),
  'byte-order-mark': signed('a byte order mark before the JSON', (kit) => `\uFEFF${json(kit)}`),
  'invalid-utf8': signed('a byte that is no UTF-8', (kit) =>
    Buffer.concat([Buffer.from(json(kit).slice(0, -2)), Buffer.from([0xff]), Buffer.from('"}')]),
  ),
  'duplicate-key': signed('a name twice', (kit) => withMember(kit, '"accessToken":"other"')),
  'duplicate-key-escaped': signed('a name twice, once escaped', (kit) => withMember(kit, '"\\u0061ccessToken":"other"')),
  'proto-key': signed('a member named __proto__', (kit) => withMember(kit, '"__proto__":{"isAdmin":"true"}')),
  'deep-nesting': signed('ten thousand levels', (kit) => withMember(kit, `"deep":${'['.repeat(10_000)}${']'.repeat(10_000)}`)),
  'big-numbers': signed('numbers that no double holds', (kit) => withMember(kit, '"n":[9007199254740993,1e400,-0]')),
  'lone-surrogate': signed('half of a surrogate pair', (kit) => withMember(kit, '"half":"\\ud83d"')),
  'line-breaks-in-ids': signed('CR LF inside an id', (kit) => json(kit, { authClientId: 'a\r\nX-Evil: 1' })),
  'as-large-as-allowed': signed('64 KiB to the byte', (kit) =>
    json(kit, { filler: 'x'.repeat(64 * 1024 - json(kit, { filler: '' }).length) }),
  ),
}

export const alipayplusAccepted: Case[] = [
  ...casesOf('alipayplus/documented', false, acknowledged.alipayplus, documented),
  ...casesOf('alipayplus/verified', true, acknowledged.alipayplus, verifiedOnly),
]
