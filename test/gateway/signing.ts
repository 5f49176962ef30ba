/** Plays the providers: their keys, and requests signed as their pages say. Shares no code with the gateway on purpose. */
import { constants, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'

export type KeyPair = { privateKey: KeyObject; publicKey: KeyObject }

const made = new Map<string, KeyPair>()

/** One pair per name and size for the whole test process: making RSA keys is slow. */
export function keyPair(name: string, modulusLength = 2048): KeyPair {
  const id = `${name}/${modulusLength}`
  const pair = made.get(id) ?? generateKeyPairSync('rsa', { modulusLength })
  made.set(id, pair)
  return pair
}

export const spki = ({ publicKey }: KeyPair) => publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
export const pkcs8 = ({ privateKey }: KeyPair) => privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')

export const rsaSign = (content: string | Buffer, { privateKey }: KeyPair): Buffer =>
  sign('sha256', Buffer.from(content as string), { key: privateKey, padding: constants.RSA_PKCS1_PADDING })

export type AlipayPlusRequest = {
  path: string
  clientId: string
  time: string
  keyVersion: string | undefined
  body: Buffer
  pair: KeyPair
}

export type SignedRequest = { path: string; headers: Record<string, string>; body: Buffer }

export const alipayPlusSignature = ({ path, clientId, time, body, pair }: AlipayPlusRequest): Buffer =>
  rsaSign(Buffer.concat([Buffer.from(`POST ${path}\n${clientId}.${time}.`), body]), pair)

/** `algorithm=RSA256, keyVersion=1, signature=<percent-encoded standard base64>`, as the pages print it. */
export function signAlipayPlus(request: AlipayPlusRequest): SignedRequest {
  const version = request.keyVersion === undefined ? '' : `keyVersion=${request.keyVersion}, `
  const signature = encodeURIComponent(alipayPlusSignature(request).toString('base64'))
  return {
    path: request.path,
    headers: {
      'Content-Type': 'application/json; charset=UTF-8',
      'Client-Id': request.clientId,
      'Request-Time': request.time,
      Signature: `algorithm=RSA256, ${version}signature=${signature}`,
    },
    body: request.body,
  }
}

/** `{param, sign}` over the characters of `param`. */
export function signParam(param: string, pair: KeyPair): Buffer {
  return Buffer.from(JSON.stringify({ param, sign: rsaSign(param, pair).toString('base64') }))
}

/** The flat style: what is signed is given by the test itself, not computed by the rule that is under test. */
export function signFlat(fieldsJson: string, signedText: string, pair: KeyPair): Buffer {
  const sign = rsaSign(signedText, pair).toString('base64')
  return Buffer.from(`${fieldsJson.slice(0, -1)},"sign":${JSON.stringify(sign)}}`)
}

/** Verifies an Alipay+ answer as Alipay+ would: over the request's path, with the answer's own headers and body. */
export function answerVerifies(path: string, headers: Headers, body: string, pair: KeyPair): boolean {
  const match = /^algorithm=RSA256,keyVersion=(\w+),signature=(.+)$/.exec(headers.get('signature') ?? '')
  if (!match) return false
  const signed = `POST ${path}\n${headers.get('client-id')}.${headers.get('response-time')}.${body}`
  const signature = Buffer.from(decodeURIComponent(match[2] as string), 'base64')
  return verify('sha256', Buffer.from(signed), { key: pair.publicKey, padding: constants.RSA_PKCS1_PADDING }, signature)
}
