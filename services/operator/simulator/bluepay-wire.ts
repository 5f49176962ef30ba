/** How BluePay and PayCools sign what they send, and what they expect of an answer (`providers.md` §3.2 to §3.4). */
import { constants, type KeyObject, sign } from 'node:crypto'
import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import type { HttpAnswer, HttpRequest } from './http.ts'
import type { Style } from './notification.ts'
import { type BluepaySender, privateKeyOf } from './senders.ts'
import { arrange, spell } from './spelling.ts'
import type { Verdict } from './verdict.ts'

export const bluepayAcknowledgement = '{"code":10000,"message":"Success"}'

const keys = new WeakMap<BluepaySender, KeyObject>()

/** SHA256withRSA over a text's UTF-8 bytes, as standard base64. */
export function signBluepayText(sender: BluepaySender, text: string): string {
  const key = keys.get(sender) ?? privateKeyOf(sender.privateKey)
  keys.set(sender, key)
  return sign('sha256', Buffer.from(text), { key, padding: constants.RSA_PKCS1_PADDING }).toString('base64')
}

/** A signed notification in the account's own style; no time is in it, so the same content has the same bytes for ever. */
export function signBluepay(sender: BluepaySender, content: Fields | string, style: Style): HttpRequest {
  const body =
    sender.style === 'flat' && typeof content !== 'string' ? flatBody(sender, content, style) : paramBody(sender, content, style)
  return bluepayRequest(sender, body, style.contentType)
}

export const bluepayRequest = (sender: BluepaySender, body: string, contentType = 'application/json'): HttpRequest => ({
  method: 'POST',
  path: sender.path,
  headers: [['Content-Type', contentType]],
  body: Buffer.from(body),
})

/** `{param, sign}`: the signature is over the characters of `param` as they stand. */
function paramBody(sender: BluepaySender, content: Fields | string, style: Style): string {
  const param = spell('bluepay', content, style)
  const members: Fields = { param, sign: signBluepayText(sender, param) }
  const inOrder = style.order === 'reversed' ? Object.fromEntries(Object.entries(members).reverse()) : members
  return JSON.stringify(inOrder, null, style.blanks === 'pretty' ? 2 : undefined)
}

/** PayCools' flat form: all fields but `sign` and the empty ones, sorted, `key=value` joined by `&` (§3.3). */
function flatBody(sender: BluepaySender, content: Fields, style: Style): string {
  const fields = arrange('bluepay', content, style)
  const members = { ...fields, sign: signBluepayText(sender, flatText(fields)) }
  return JSON.stringify(members, null, style.blanks === 'pretty' ? 2 : undefined)
}

export const flatText = (fields: Fields): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')

/** What an answer means to the platform: 10000 or not. Nothing is documented about retries, so an honest gateway never needs one. */
export function judgeBluepay({ status, body }: HttpAnswer): Verdict {
  const code = readCode(body)
  if (code === undefined) return { result: 'refused', code: `HTTP ${status}`, mistakes: ['the body has no code'] }
  if (code !== 10_000)
    return { result: status === 503 || status === 429 ? 'call-again' : 'refused', code: String(code), mistakes: [] }
  const mistakes = status === 200 ? [] : [`HTTP ${status} with an acknowledgement`]
  if (body !== bluepayAcknowledgement) mistakes.push('the acknowledgement is not worded as documented')
  return { result: 'acknowledged', code: '10000', mistakes }
}

function readCode(body: string): number | undefined {
  try {
    const { code } = JSON.parse(body) as { code?: unknown }
    return typeof code === 'number' ? code : undefined
  } catch {
    return undefined
  }
}
