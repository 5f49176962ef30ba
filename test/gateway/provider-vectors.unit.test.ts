/** Signatures that the providers' own pages and test data print, and the one that they print wrongly. */
import { createSecretKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { createAlipayPlus } from '../../services/gateway/alipayplus.ts'
import { createBluePay } from '../../services/gateway/bluepay.ts'
import { readPublicKey, type VerifyingKey } from '../../services/gateway/rsa-keys.ts'
import { createSignatureCheck } from '../../services/gateway/signature-check.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { keyPair } from './signing.ts'

type Common = { id: string; expect: boolean; publicKeySpkiBase64: string }
type AlipayVector = Common & {
  method: string
  path: string
  clientId: string
  time: string
  body: string
  signatureHeaderValue: string
}
type BluePayVector = Common & { param: string; sign: string }

const { vectors } = JSON.parse(readFileSync(new URL('../fixtures/provider-vectors.json', import.meta.url), 'utf8')) as {
  vectors: (AlipayVector | BluePayVector)[]
}
const options = {
  identity: createIdentity(createSecretKey(Buffer.alloc(32))),
  verifies: createSignatureCheck(),
  deadlineMs: 1,
  freshnessMs: Number.POSITIVE_INFINITY,
}

const keyOf = ({ publicKeySpkiBase64 }: Common): VerifyingKey => {
  const read = readPublicKey(publicKeySpkiBase64)
  if ('mistake' in read) throw new Error(read.mistake)
  return read.key
}

function alipayPlusVerdict(vector: AlipayVector, body = vector.body, time = vector.time): string {
  const route = createAlipayPlus(
    {
      path: vector.path,
      signing: { keyVersion: '1', key: keyPair('answers').privateKey },
      clients: new Map([[vector.clientId, { keys: new Map([['1', keyOf(vector)]]) }]]),
    },
    options,
  )
  const signature = `algorithm=RSA256,keyVersion=1,signature=${vector.signatureHeaderValue}`
  const rawHeaders = ['Client-Id', vector.clientId, 'Request-Time', time, 'Signature', signature]
  return route.check({ path: vector.path, rawHeaders, body: Buffer.from(body), receivedAt: Date.parse(vector.time) }).kind
}

function bluePayVerdict(vector: BluePayVector, param = vector.param): string {
  const account = { account: 'a', merchantId: 'm', style: 'param' as const, keys: [keyOf(vector)] }
  const route = createBluePay({ path: '/b', byPathId: new Map([['id', account]]) }, options)
  const body = Buffer.from(JSON.stringify({ param, sign: vector.sign }))
  return route.check({ path: '/b/id', rawHeaders: [], body, receivedAt: 0 }).kind
}

t.test('every vector verifies or not, as recorded', async (t) => {
  t.ok(vectors.length >= 3)
  for (const vector of vectors) {
    const verdict = 'param' in vector ? bluePayVerdict(vector) : alipayPlusVerdict(vector)
    t.equal(verdict, vector.expect ? 'verified' : 'refused', vector.id)
  }
})

t.test(
  'the Alipay vector holds for its compact body only: not pretty-printed, not with the stray line feed of the published test',
  async (t) => {
    const vector = vectors.find((each): each is AlipayVector => 'path' in each) as AlipayVector
    t.equal(alipayPlusVerdict(vector, JSON.stringify(JSON.parse(vector.body), null, 2)), 'refused')
    t.equal(alipayPlusVerdict(vector, vector.body, `${vector.time}\n`), 'refused')
  },
)

t.test('the sample on the BluePay reference page cannot verify: its signature was made for the PayCools sample', async (t) => {
  const find = (id: string) => vectors.find((vector) => vector.id === id) as BluePayVector
  const paycools = find('bluepay-1-paycools-sample')
  const reference = find('bluepay-3-reference-page-sample')
  t.equal(reference.sign, paycools.sign, 'byte for byte the same signature')
  t.not(reference.param, paycools.param, 'over another text: channel changed, countryCode removed')
  t.equal(bluePayVerdict(reference), 'refused')
  t.equal(bluePayVerdict(reference, paycools.param), 'verified', 'put the PayCools text back, and it verifies')
  t.ok(
    verify('sha256', Buffer.from(paycools.param), keyOf(paycools).key, Buffer.from(reference.sign, 'base64')),
    'by node:crypto alone, too',
  )
})
