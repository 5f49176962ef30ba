/** Both providers' checks without HTTP, for tests that ask thousands of times. */
import { createSecretKey } from 'node:crypto'
import { createAlipayPlus } from '../../services/gateway/alipayplus.ts'
import { createBluePay } from '../../services/gateway/bluepay.ts'
import { readPublicKey, type VerifyingKey } from '../../services/gateway/rsa-keys.ts'
import { createSignatureCheck } from '../../services/gateway/signature-check.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { alipayPlusPath, bluePayPath, clientId, flatPathId, pathId } from './gateway-under-test.ts'
import { keyPair, spki } from './signing.ts'

export function verifyingKey(name: string, bits?: number): VerifyingKey {
  const read = readPublicKey(spki(keyPair(name, bits)))
  if ('mistake' in read) throw new Error(read.mistake)
  return read.key
}

export function createRoutes() {
  const options = { identity: createIdentity(createSecretKey(Buffer.alloc(32, 1))), verifies: createSignatureCheck() }
  const account = (style: 'param' | 'flat') => ({ account: style, merchantId: 'm', style, keys: [verifyingKey('bluepay')] })
  const alipayplus = createAlipayPlus(
    {
      path: alipayPlusPath,
      signing: { keyVersion: '1', key: keyPair('answers').privateKey },
      clients: new Map([[clientId, { keys: new Map([['1', verifyingKey('alipayplus')]]) }]]),
    },
    { ...options, deadlineMs: 1, freshnessMs: Number.POSITIVE_INFINITY },
  )
  const byPathId = new Map([
    [pathId, account('param')],
    [flatPathId, account('flat')],
  ])
  const bluepay = createBluePay({ path: bluePayPath, byPathId }, { ...options, deadlineMs: 1 })
  return {
    alipayPlus: (rawHeaders: string[], body: Buffer) =>
      alipayplus.check({ path: alipayPlusPath, rawHeaders, body, receivedAt: Date.now() }),
    bluePay: (body: Buffer | string, id = pathId) =>
      bluepay.check({ path: `${bluePayPath}/${id}`, rawHeaders: [], body: Buffer.from(body as string), receivedAt: 0 }),
  }
}
