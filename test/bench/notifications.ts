/** What the gateway's benchmarks send: signed notifications of 1 KiB, each of another token, and how their sender reads the answers. */
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import type { Provider } from '../../shared/contracts/topics.ts'
import alipayPlusSample from '../fixtures/alipayplus/token-created.json' with { type: 'json' }
import bluePaySample from '../fixtures/bluepay/token-created.json' with { type: 'json' }
import { keyPair, pkcs8, type SignedRequest, signAlipayPlus, signParam, spki } from '../gateway/signing.ts'

const bodyBytes = 1_024
/** Their keys spread them over the partitions; load generators build each one's bytes once per connection. */
const tokens = 48

const alipayPlusPath = '/aps/api/v1/authorizations/authNotify'
const bluePayPath = '/bluepay/notifications'
const pathId = 'b5Nc7Hq9Rk2Wm4Ts6Yx8Dz'
const clientId = alipayPlusSample.headers['Client-Id']
const bluePayAccount = 'bench-ph'

/** What ends a provider's retries, and what asks for the same notification again: a part of each such answer. */
export const acknowledgement: Record<Provider, string> = { alipayplus: '"resultStatus":"S"', bluepay: '"code":10000' }
export const callAgain: Record<Provider, string> = { alipayplus: '"resultStatus":"U"', bluepay: '"code":503' }

/** The account that a raw record of these is sealed for. */
export const sealedFor: Record<Provider, string> = { alipayplus: alipayPlusSample.body.authClientId, bluepay: bluePayAccount }

/** SPKI, base64: what Alipay+'s signatures verify with. RSA of 2048 bits. */
export const alipayPlusKey = () => spki(keyPair('alipayplus'))

/** One client and one account, with keys made for this process. */
export const benchAccounts = (): AccountsFile => ({
  development: true,
  alipayplus: {
    path: alipayPlusPath,
    signing: { keyVersion: '1', privateKey: pkcs8(keyPair('answers')) },
    clients: [{ clientId, keys: [{ version: '1', state: 'active', publicKey: alipayPlusKey() }] }],
  },
  bluepay: {
    path: bluePayPath,
    accounts: [
      {
        ...{ account: bluePayAccount, pathId, merchantId: 'M-1', style: 'param' },
        keys: [{ state: 'active', publicKey: spki(keyPair('bluepay')) }],
      },
    ],
  },
})

/** A request as it travels to a worker. */
export type SignedText = { path: string; headers: Record<string, string>; body: string }

/** As the providers would send them now. */
export function signedRequests(provider: Provider): SignedText[] {
  const sign = { alipayplus: alipayPlusRequest, bluepay: bluePayRequest }[provider]
  return Array.from({ length: tokens }, (_, token) => {
    const { path, headers, body } = sign(String(token).padStart(4, '0'))
    return { path, headers, body: body.toString() }
  })
}

function alipayPlusRequest(token: string): SignedRequest {
  const { body } = alipayPlusSample
  const accessToken = `${body.accessToken}${token}`
  return signAlipayPlus({
    ...{ path: alipayPlusPath, clientId, keyVersion: '1', pair: keyPair('alipayplus') },
    time: new Date().toISOString(),
    body: filled((filler) => Buffer.from(JSON.stringify({ ...body, accessToken, filler }))),
  })
}

function bluePayRequest(token: string): SignedRequest {
  const param = JSON.parse(bluePaySample.body) as Record<string, string>
  const paytoken = `${param.paytoken}${token}`
  return {
    path: `${bluePayPath}/${pathId}`,
    headers: { 'Content-Type': 'application/json' },
    body: filled((filler) => signParam(JSON.stringify({ ...param, paytoken, filler }), keyPair('bluepay'))),
  }
}

/** A field that nobody reads brings it to the size. */
const filled = (make: (filler: string) => Buffer): Buffer => make('x'.repeat(bodyBytes - make('').length))
