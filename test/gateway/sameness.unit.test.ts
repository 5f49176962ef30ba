/** Row I11 of the hostile input matrix by the clock: loose, so that it is true of the code and not of the machine's mood. */
import t from 'tap'
import { alipayPlusPath, bluePayParam, clientId, pathId } from './gateway-under-test.ts'
import { createRoutes, verifyingKey } from './routes-under-test.ts'
import { keyPair, signAlipayPlus, signParam } from './signing.ts'

const rounds = 1_500

/** Median nanoseconds of each, measured in turns so that whatever disturbs one disturbs all. */
function medians(actions: (() => unknown)[]): number[] {
  const samples: number[][] = actions.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [at, action] of actions.entries()) {
      const begun = process.hrtime.bigint()
      action()
      samples[at]?.push(Number(process.hrtime.bigint() - begun))
    }
  }
  return samples.map((each) => each.sort((a, b) => a - b)[rounds / 2] as number)
}

function sameWithin(t: { ok: (value: boolean, why: string) => unknown }, actions: Record<string, () => unknown>): void {
  medians(Object.values(actions))
  const measured = medians(Object.values(actions))
  const ratio = Math.max(...measured) / Math.min(...measured)
  t.ok(ratio < 1.5, `medians ${Object.keys(actions).map((name, at) => `${name}: ${measured[at]} ns`)}`)
}

t.test('Alipay+: a stop-watch does not tell an unknown client, an unknown key and a bad signature apart', async (t) => {
  const routes = createRoutes()
  const parts = { path: alipayPlusPath, time: '2025-02-20T08:51:49Z', body: Buffer.alloc(2_000, 0x20), pair: keyPair('forger') }
  const check = (client: string, keyVersion: string) => {
    const request = signAlipayPlus({ ...parts, clientId: client, keyVersion })
    const rawHeaders = Object.entries(request.headers).flat()
    return () => routes.alipayPlus(rawHeaders, request.body)
  }
  sameWithin(t, {
    'bad signature': check(clientId, '1'),
    'unknown key': check(clientId, '9'),
    'unknown client': check('SANDBOX_5YC47N2ZQHJ009999', '1'),
  })
})

t.test('Alipay+: not by a signature that is a number above the modulus either, which OpenSSL refuses at once', async (t) => {
  const routes = createRoutes()
  const value = encodeURIComponent(verifyingKey('alipayplus').modulus.toString('base64'))
  const check = (client: string) => {
    const signature = `algorithm=RSA256,keyVersion=1,signature=${value}`
    const rawHeaders = ['Client-Id', client, 'Request-Time', '2025-02-20T08:51:49Z', 'Signature', signature]
    return () => routes.alipayPlus(rawHeaders, Buffer.from('{}'))
  }
  sameWithin(t, { 'known client': check(clientId), 'unknown client': check('SANDBOX_5YC47N2ZQHJ009999') })
})

t.test('BluePay: a stop-watch does not tell an unknown account from a bad signature', async (t) => {
  const routes = createRoutes()
  const body = signParam(bluePayParam, keyPair('forger'))
  sameWithin(t, {
    'bad signature': () => routes.bluePay(body, pathId),
    'unknown account': () => routes.bluePay(body, 'q8Wx6Yz4Ab2Cd1Ef3Gh5Ij'),
  })
})
