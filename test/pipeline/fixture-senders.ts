/** Signs and sends fixtures as their providers would, written from the providers' pages alone: it shares no code with the gateway. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Fixture, fixtureAccounts } from '../fixtures/load.ts'
import { bluePayBody } from '../fixtures/raw-record.ts'

const alipayplusPath = '/aps/api/v1/authorizations/authNotify'
const bluepayPath = '/bluepay/notifications'

type Answer = { status: number; body: string }
export type FixtureSenders = { accountsFile: string; send: (gatewayUrl: string, fixture: Fixture) => Promise<Answer> }

const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'der' }).toString('base64')
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Writes an accounts file with fresh provider keys for every client and account that the fixtures come from. */
export function createFixtureSenders(folder: string): FixtureSenders {
  const alipayplus = rsa()
  const answers = rsa()
  const bluepay = new Map(
    fixtureAccounts.bluepay.map(({ account }) => [account, { ...rsa(), pathId: randomBytes(16).toString('base64url') }]),
  )
  const accountsFile = join(folder, 'accounts.json')
  writeFileSync(
    accountsFile,
    JSON.stringify({
      development: true,
      alipayplus: {
        path: alipayplusPath,
        signing: { keyVersion: '1', privateKey: answers.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
        clients: fixtureAccounts.alipayplus.map(({ clientId }) => ({
          clientId,
          keys: [{ version: '1', state: 'active', publicKey: spki(alipayplus.publicKey) }],
        })),
      },
      bluepay: {
        path: bluepayPath,
        accounts: fixtureAccounts.bluepay.map((account) => ({
          ...account,
          pathId: bluepay.get(account.account)?.pathId,
          keys: [{ state: 'active', publicKey: spki(bluepay.get(account.account)?.publicKey as KeyObject) }],
        })),
      },
    }),
  )

  async function post(url: string, headers: Record<string, string>, body: Buffer): Promise<Answer> {
    const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body })
    return { status: response.status, body: await response.text() }
  }

  return {
    accountsFile,
    send(gatewayUrl, fixture) {
      if (fixture.provider === 'alipayplus') {
        const { clientId, requestTime, body } = fixture
        const content = Buffer.concat([Buffer.from(`POST ${alipayplusPath}\n${clientId}.${requestTime}.`), body])
        const signature = encodeURIComponent(sign('sha256', content, alipayplus.privateKey).toString('base64'))
        const headers = {
          'Client-Id': clientId,
          'Request-Time': requestTime,
          Signature: `algorithm=RSA256, keyVersion=1, signature=${signature}`,
        }
        return post(`${gatewayUrl}${alipayplusPath}`, headers, body)
      }
      const { account, notification } = fixture
      const keys = bluepay.get(account.account) as { privateKey: KeyObject; pathId: string }
      const signedText = account.style === 'param' ? notification : flatText(notification)
      const signature = sign('sha256', Buffer.from(signedText), keys.privateKey).toString('base64')
      return post(`${gatewayUrl}${bluepayPath}/${keys.pathId}`, {}, bluePayBody(fixture, signature))
    },
  }
}

/** `providers.md` §3.3: all fields but `sign`, without null and empty ones, sorted by name, `name=value` joined by `&`; numbers as written. */
function flatText(notification: string): string {
  const fields = Object.entries(JSON.parse(notification) as Record<string, unknown>).filter(
    ([, value]) => value !== null && value !== '',
  )
  const written = (name: string, value: unknown) =>
    typeof value === 'number' ? (new RegExp(`"${name}"\\s*:\\s*([-+.0-9eE]+)`).exec(notification)?.[1] as string) : String(value)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return fields.map(([name, value]) => `${name}=${written(name, value)}`).join('&')
}
