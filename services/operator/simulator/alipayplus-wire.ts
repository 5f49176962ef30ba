/** How Alipay+ signs what it sends, and what it expects of an answer (`providers.md` §2.2, §2.3, §2.5). */
import { constants, type KeyObject, sign, verify } from 'node:crypto'
import type { HttpAnswer, HttpRequest } from './http.ts'
import type { Style } from './notification.ts'
import { type AlipayplusSender, privateKeyOf, publicKeyOf } from './senders.ts'
import type { Verdict } from './verdict.ts'

/** The one body that ends Alipay+'s retries. */
export const alipayplusAcknowledgement = '{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'

/** The first send and up to seven retries, in minutes between them: 24 h 22 min in all (`providers.md` §2.6). */
export const alipayplusRetryMinutes = [2, 10, 10, 60, 120, 360, 900]

const padding = constants.RSA_PKCS1_PADDING
const keys = new WeakMap<AlipayplusSender, { signs: KeyObject; answers: KeyObject }>()

function keysOf(sender: AlipayplusSender) {
  const known = keys.get(sender) ?? { signs: privateKeyOf(sender.privateKey), answers: publicKeyOf(sender.answerPublicKey) }
  keys.set(sender, known)
  return known
}

export const signedText = (path: string, clientId: string, time: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`POST ${path}\n${clientId}.${time}.`), body])

/** A signed notification, written in the given style at the given moment. */
export function signAlipayplus(sender: AlipayplusSender, body: Buffer, style: Style, now: number): HttpRequest {
  const { path, clientId, keyVersion } = sender
  const time = formatTime(now, style.time)
  const signature = encodeSignature(
    sign('sha256', signedText(path, clientId, time, body), { key: keysOf(sender).signs, padding }),
    style.signature,
  )
  const value = ['algorithm=RSA256', `keyVersion=${keyVersion}`, `signature=${signature}`].join(style.separator)
  const headers: [string, string][] = [
    ['Content-Type', style.contentType],
    ['Client-Id', clientId],
    ['Request-Time', time],
    ['Signature', value],
  ]
  const spelled = headers.map(([name, text]): [string, string] => [
    style.headers === 'lower-case' ? name.toLowerCase() : name,
    text,
  ])
  return { method: 'POST', path, headers: spelled, body }
}

/** The pages name base64url and show percent-encoded base64 (`providers.md` §7, row 11). */
export function encodeSignature(signature: Buffer, spelling: Style['signature']): string {
  if (spelling === 'base64url') return signature.toString('base64url')
  return spelling === 'base64' ? signature.toString('base64') : encodeURIComponent(signature.toString('base64'))
}

/** Every form that the pages show: offset, `Z`, two fraction digits, epoch milliseconds. */
export function formatTime(at: number, form: Style['time']): string {
  const iso = (ms: number) => new Date(ms).toISOString().slice(0, 19)
  switch (form) {
    case 'offset':
      return `${iso(at + 8 * 60 * 60 * 1000)}+08:00`
    case 'utc':
      return `${iso(at)}Z`
    case 'fraction':
      return `${iso(at)}.${String(Math.floor((at % 1000) / 10)).padStart(2, '0')}Z`
    case 'epoch':
      return String(at)
  }
}

/** What an answer means to Alipay+, and everything in it that is not as documented. */
export function judgeAlipayplus(sender: AlipayplusSender, answer: HttpAnswer): Verdict {
  const { resultStatus, resultCode } = readResult(answer.body)
  const result = resultStatus === 'S' ? 'acknowledged' : resultStatus === 'U' ? 'call-again' : 'refused'
  const mistakes: string[] = []
  if (resultStatus === undefined) mistakes.push('the body has no result')
  if (result === 'acknowledged') {
    if (answer.status !== 200) mistakes.push(`HTTP ${answer.status} with an acknowledgement`)
    if (answer.body !== alipayplusAcknowledgement) mistakes.push('the acknowledgement is not worded as documented')
    if (!answer.headers.signature) mistakes.push('the acknowledgement is not signed')
  }
  if (answer.headers.signature && !isAnswerSigned(sender, answer)) mistakes.push("the answer's signature does not verify")
  return { result, code: resultCode ?? `HTTP ${answer.status}`, mistakes }
}

function readResult(body: string): { resultStatus?: string; resultCode?: string } {
  try {
    return (JSON.parse(body) as { result?: { resultStatus?: string; resultCode?: string } }).result ?? {}
  } catch {
    return {}
  }
}

/** Answers are signed like requests, with `Response-Time`, and with the method and path of the request. */
function isAnswerSigned(sender: AlipayplusSender, { headers, body }: HttpAnswer): boolean {
  const [clientId, time] = [headers['client-id'], headers['response-time']]
  const value = /(?:^|,)\s*signature=([^,\s]+)\s*$/.exec(headers.signature ?? '')?.[1]
  if (clientId !== sender.clientId || !time || !value || !/(?:^|,)\s*algorithm=RSA256\s*(?:,|$)/.test(headers.signature ?? ''))
    return false
  const signature = Buffer.from(decodeURIComponent(value), 'base64')
  return verify(
    'sha256',
    signedText(sender.path, clientId, time, Buffer.from(body)),
    { key: keysOf(sender).answers, padding },
    signature,
  )
}
