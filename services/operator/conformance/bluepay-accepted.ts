/** Every documented form of BluePay's and PayCools' notification, and what verifies without being understood: kept and acknowledged. */
import { bluepayRequest, flatText, signBluepayText } from '../simulator/bluepay-wire.ts'
import type { HttpRequest } from '../simulator/http.ts'
import {
  canceled,
  created,
  failed,
  flat,
  longKey,
  members,
  param,
  rebuilt,
  signedParam,
  valid,
  type WhichSender,
} from './bluepay-forms.ts'
import { type Case, casesOf, type Kit, type Requests } from './case.ts'
import { acknowledged } from './expectations.ts'

const events = (which: WhichSender): Requests => ({
  'create-success': ['token.create.success', (kit) => valid(kit, which)],
  'create-failed': ['token.create.failed', (kit) => valid(kit, which, failed(kit, which(kit)))],
  ...Object.fromEntries(
    ['MCH_CANCEL', 'USER_CANCEL', 'EXPIRED', 'PLATFORM_CANCEL', 'SINCE_TOMORROW'].map((type): [string, Requests[string]] => [
      `cancel-${type.toLowerCase().replaceAll('_', '-')}`,
      [`token.cancel.success with ${type}`, (kit) => valid(kit, which, canceled(kit, which(kit), type))],
    ]),
  ),
  'status-spelled-right': [
    'ACTIVE instead of ACTIVED',
    (kit) => valid(kit, which, created(kit, which(kit), { tokenStatus: 'ACTIVE' })),
  ],
  'login-named': ['with userLoginId', (kit) => valid(kit, which, created(kit, which(kit), { userLoginId: '09171234567' }))],
  'fields-empty': [
    'unused fields as null and ""',
    (kit) => valid(kit, which, created(kit, which(kit), { inactiveType: null, inactiveTime: '' })),
  ],
  'fields-reordered': ['fields in another order', (kit) => valid(kit, which, undefined, { order: 'reversed' })],
  'body-pretty': ['indented JSON', (kit) => valid(kit, which, undefined, { blanks: 'pretty' })],
  'type-with-charset': [
    'application/json; charset=UTF-8',
    (kit) => valid(kit, which, undefined, { contentType: 'application/json; charset=UTF-8' }),
  ],
  'text-not-ascii': ['text in many scripts', (kit) => valid(kit, which, created(kit, which(kit), { note: 'ทรูมันนี่ 🧧' }))],
  repeat: ['the same bytes twice, at once', (kit) => Array.from<HttpRequest>({ length: 2 }).fill(valid(kit, which))],
})

const flatNumber = (kit: Kit) => {
  const fields = created(kit, flat(kit))
  const sign = signBluepayText(flat(kit), flatText({ amount: '100.00', ...fields }))
  return bluepayRequest(flat(kit), JSON.stringify({ ...fields, sign }).replace('{', '{"amount":100.00,'))
}

const paramForms: Requests = {
  'outer-escaped': [
    'param written with \\u escapes: its characters are what was signed',
    (kit) => rebuilt(kit, ({ param, sign }) => `{"param":"${escapeText(param)}","sign":${JSON.stringify(sign)}}`),
  ],
  'outer-slash-escaped': [
    'slashes of the signature as \\/',
    (kit) => rebuilt(kit, (given) => JSON.stringify(given).replaceAll('/', '\\/')),
  ],
  'outer-sign-first': ['sign before param', (kit) => members(kit, ({ param, sign }) => ({ sign, param }))],
  'unknown-event': [
    'signed: an event of the payment interface',
    (kit) => valid(kit, param, created(kit, param(kit), { eventName: 'direct.debit.success' })),
  ],
  'missing-field': ['signed: no channelCode', (kit) => valid(kit, param, created(kit, param(kit), { channelCode: undefined }))],
  'param-broken': ['signed: a param that is no JSON', (kit) => signedParam(kit, (json) => json.slice(0, -5))],
  'param-array': ['signed: a param that is no object', (kit) => signedParam(kit, (json) => `[${json}]`)],
  'param-duplicate-key': [
    'signed: a name twice in param',
    (kit) => signedParam(kit, (json) => json.replace(/}$/, ',"userId":"other"}')),
  ],
  'param-deep': [
    'signed: a param ten thousand levels deep',
    (kit) => signedParam(kit, () => `${'['.repeat(10_000)}${']'.repeat(10_000)}`),
  ],
}
const escapeText = (text: string) =>
  [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
const flatForms: Requests = {
  'no-request-id': [
    'no requestId, which is optional here',
    (kit) => valid(kit, flat, created(kit, flat(kit), { requestId: undefined })),
  ],
  'number-as-written': ['a number, signed as it is written: 100.00', flatNumber],
}

export const bluepayAccepted: Case[] = [
  ...casesOf('bluepay/param', false, acknowledged.bluepay, { ...events(param), ...paramForms }),
  ...casesOf('bluepay/4096-bit', false, acknowledged.bluepay, events(longKey)),
  ...casesOf('bluepay/flat', false, acknowledged.bluepay, { ...events(flat), ...flatForms }),
]
