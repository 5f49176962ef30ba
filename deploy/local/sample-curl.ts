import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Account = { path: string; style: 'param' | 'flat'; privateKey: string; channelCode: string }

/**
 * A request that the gateway accepts, signature included, as a line to copy. BluePay's signature has no time in it, so it stays good; sent
 * twice, the second is a duplicate. Undefined without the keys that stand for the provider.
 */
export function sampleCurl(gatewayUrl: string, keysDir: string, now: number): string | undefined {
  const account = readAccounts(keysDir).find(({ style }) => style === 'param')
  if (!account) return undefined
  const param = JSON.stringify({
    channelCode: account.channelCode,
    eventName: 'token.create.success',
    paytoken: `TK${now.toString(36).toUpperCase()}BYHAND`,
    requestId: `byhand-${now}`,
    tokenStatus: 'ACTIVE',
    userId: 'by-hand',
  })
  const key = createPrivateKey({ key: Buffer.from(account.privateKey, 'base64'), format: 'der', type: 'pkcs8' })
  const body = JSON.stringify({ param, sign: sign('sha256', Buffer.from(param), key).toString('base64') })
  return `curl -sS ${gatewayUrl}${account.path} -H 'Content-Type: application/json' -d '${body}'`
}

function readAccounts(keysDir: string): Account[] {
  try {
    return (JSON.parse(readFileSync(join(keysDir, 'simulator.json'), 'utf8')) as { bluepay: Account[] }).bluepay
  } catch {
    return []
  }
}
