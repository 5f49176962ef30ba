/** Plays both providers for the canary run, and keeps every byte that the gateway answered. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { keyPair, pkcs8, type SignedRequest, signAlipayPlus, signFlat, signParam, spki } from '../gateway/signing.ts'
import type { Canaries } from './canaries.ts'

export type Fields = Record<string, unknown>
export type Account = 'alipayplus' | 'param' | 'flat'
/** `content`: the notification, as text or bytes when it is to be broken. */
export type Notification = { account: Account; content: Fields | Buffer | string }

export const clientId = 'CANARY_CLIENT'
const alipayPlusPath = '/aps/api/v1/authorizations/authNotify'
const bluePayPath = '/bluepay/notifications'

export type Providers = ReturnType<typeof createProviders>

export function createProviders(canaries: Canaries) {
  const pathIds = { param: canaries.makePlain('pathId'), flat: canaries.makePlain('pathId') }
  const answers: Buffer[] = []
  const delivered: string[] = []

  function signed({ account, content }: Notification): SignedRequest {
    const body = Buffer.isBuffer(content) ? content : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
    if (account === 'alipayplus') {
      const time = new Date().toISOString()
      return signAlipayPlus({ path: alipayPlusPath, clientId, time, keyVersion: '1', body, pair: keyPair('alipayplus') })
    }
    const signedBody =
      account === 'param'
        ? signParam(body.toString(), keyPair('bluepay'))
        : signFlat(body.toString(), flatText(content as Fields), keyPair('bluepay'))
    return { path: `${bluePayPath}/${pathIds[account]}`, headers: { 'Content-Type': 'application/json' }, body: signedBody }
  }

  async function post(gatewayUrl: string, { path, headers, body }: SignedRequest, method = 'POST') {
    const response = await fetch(`${gatewayUrl}${path}`, { method, headers, ...(method === 'GET' ? {} : { body }) })
    const text = await response.text()
    answers.push(Buffer.from(`${response.status} ${response.statusText}\n${JSON.stringify([...response.headers])}\n${text}`))
    return { status: response.status, body: text, kept: /"resultStatus":"S"|"code":10000/.test(text) }
  }

  return {
    answers,
    /** What was signed and kept, to know which secrets travelled. */
    delivered,
    signed,
    post,
    /** As a provider does: again, until it is kept. */
    async deliver(gatewayUrl: string, notification: Notification): Promise<void> {
      for (let attempt = 1; !(await post(gatewayUrl, signed(notification))).kept; attempt++) {
        if (attempt === 20) throw new Error(`Not kept after ${attempt} attempts`)
      }
      const { content } = notification
      delivered.push(typeof content === 'object' && !Buffer.isBuffer(content) ? JSON.stringify(content) : content.toString())
    },
    /** Bytes on a socket, as no HTTP client would send them. */
    raw(gatewayUrl: string, bytes: string): Promise<void> {
      const { hostname, port } = new URL(gatewayUrl)
      return new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.end(bytes))
        socket.on('data', (chunk: Buffer) => answers.push(chunk))
        socket.on('error', reject)
        socket.on('close', () => resolve())
      })
    },
    writeAccounts(folder: string): string {
      const key = (name: string) => ({ state: 'active', publicKey: spki(keyPair(name)) })
      const bluepay = (style: 'param' | 'flat') => ({
        account: `canary-${style}`,
        pathId: pathIds[style],
        merchantId: 'M-canary',
        style,
        keys: [key('bluepay')],
      })
      const file = join(folder, 'accounts.json')
      const alipayplus = {
        path: alipayPlusPath,
        signing: { keyVersion: '1', privateKey: pkcs8(keyPair('answers')) },
        clients: [{ clientId, keys: [{ version: '1', ...key('alipayplus') }] }],
      }
      const accounts = { alipayplus, bluepay: { path: bluePayPath, accounts: [bluepay('param'), bluepay('flat')] } }
      writeFileSync(file, JSON.stringify(accounts, null, 2), { mode: 0o600 })
      return file
    },
  }
}

/** Fields by name, `name=value` joined by `&`, empty ones left out; all values here are texts. */
function flatText(fields: Fields): string {
  const present = Object.keys(fields).filter((name) => fields[name] !== '' && fields[name] !== null)
  return present
    .sort()
    .map((name) => `${name}=${fields[name]}`)
    .join('&')
}

/** Everything that is refused, each with secrets in it: none of it may be kept, nor quoted back or logged. */
export function refusedRequests(
  { signed }: Providers,
  canaries: Canaries,
): { name: string; request: SignedRequest; method?: string }[] {
  const secret = (name: string) => canaries.make(`refused ${name}`)
  const alipayPlus = () =>
    signed({ account: 'alipayplus', content: { ...tokenFields(secret), authorizationNotifyType: 'TOKEN_CREATED' } })
  const bluePay = (account: 'param' | 'flat') =>
    signed({ account, content: { eventName: 'token.create.success', ...tokenFields(secret) } })
  const altered = (request: SignedRequest): SignedRequest => {
    const body = Buffer.from(request.body.toString().replace('refused', 'altered'))
    return { ...request, body }
  }
  const withHeader = (request: SignedRequest, name: string, value: string) => ({
    ...request,
    headers: { ...request.headers, [name]: value },
  })
  const large = { ...tokenFields(secret), padding: secret('padding').repeat(2400) }
  return [
    { name: 'an altered body', request: altered(alipayPlus()) },
    { name: 'an altered param', request: altered(bluePay('param')) },
    { name: 'an altered flat body', request: altered(bluePay('flat')) },
    { name: 'an unknown client', request: withHeader(alipayPlus(), 'Client-Id', canaries.makePlain('refused client')) },
    {
      name: 'an unknown key version',
      request: withHeader(
        alipayPlus(),
        'Signature',
        `algorithm=RSA256, keyVersion=${canaries.makePlain('refused version')}, signature=AAAA`,
      ),
    },
    { name: 'a time of other words', request: withHeader(alipayPlus(), 'Request-Time', canaries.makePlain('refused time')) },
    { name: '65 KiB', request: signed({ account: 'alipayplus', content: large }) },
    {
      name: 'a body that is not JSON',
      request: { ...alipayPlus(), body: Buffer.from(`{"accessToken":"${canaries.makePlain('refused broken')}"`) },
    },
    {
      name: 'a BluePay body that is not JSON',
      request: { ...bluePay('param'), body: Buffer.from(`{"paytoken":${canaries.makePlain('refused broken')}`) },
    },
    {
      name: 'a path that nobody has',
      request: { ...alipayPlus(), path: `${alipayPlusPath}/${canaries.makePlain('refused path')}` },
    },
    {
      name: 'a query string',
      request: { ...alipayPlus(), path: `${alipayPlusPath}?accessToken=${canaries.makePlain('refused query')}` },
    },
    {
      name: 'an unknown account',
      request: { ...bluePay('param'), path: `${bluePayPath}/${canaries.makePlain('refused pathId')}` },
    },
    {
      name: 'another media type',
      request: withHeader(alipayPlus(), 'Content-Type', `text/${canaries.makePlain('refused type')}`),
    },
    { name: 'another coding', request: withHeader(alipayPlus(), 'Content-Encoding', canaries.makePlain('refused coding')) },
    { name: 'another method', request: { ...alipayPlus(), path: `${alipayPlusPath}` }, method: 'PUT' },
    {
      name: 'a GET with a token',
      request: { ...alipayPlus(), path: `${bluePayPath}?paytoken=${canaries.makePlain('refused get')}` },
      method: 'GET',
    },
  ]
}

const tokenFields = (secret: (name: string) => string): Fields => ({
  note: 'refused',
  authClientId: 'canary-auth-client',
  channelCode: 'PH_GCASH_DIRECT_DEBIT',
  requestId: randomUUID().replaceAll('-', ''),
  accessToken: secret('accessToken'),
  paytoken: secret('paytoken'),
  userId: secret('userId'),
  userLoginId: secret('userLoginId'),
})
