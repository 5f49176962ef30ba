import { createVerify } from 'node:crypto'
import t from 'tap'
import { createAnswerSigner } from '../../services/gateway/answer-signer.ts'
import { keyPair } from './signing.ts'

const { privateKey, publicKey } = keyPair('answers')
const now = Date.UTC(2026, 10, 22, 5, 43, 9, 123)

function createCounted() {
  let signatures = 0
  // The signer takes the key out of this object once per signature it computes.
  const signing = {
    keyVersion: '7',
    get key() {
      signatures++
      return privateKey
    },
  }
  return { signAnswer: createAnswerSigner('/path', signing), signatures: () => signatures }
}

t.test('signs path, client, time and body, with the version that is ours', async (t) => {
  const { signAnswer } = createCounted()
  const headers = signAnswer('CLIENT', '{"a":"é"}', now)
  t.equal(headers['Response-Time'], '2026-11-22T05:43:09Z')
  t.equal(headers['Client-Id'], 'CLIENT')
  const [, value = ''] = /^algorithm=RSA256,keyVersion=7,signature=([A-Za-z0-9%]+)$/.exec(headers.Signature ?? '') ?? []
  t.ok(value, 'percent-encoded, so without + / =')
  const verifier = createVerify('sha256').update('POST /path\nCLIENT.2026-11-22T05:43:09Z.{"a":"é"}')
  t.ok(verifier.verify(publicKey, decodeURIComponent(value), 'base64'))
})

t.test('computes one signature per client, body and second', async (t) => {
  const { signAnswer, signatures } = createCounted()
  for (let n = 0; n < 1_000; n++) signAnswer('A', 'body', now + (n % 800))
  t.equal(signatures(), 1)
  signAnswer('B', 'body', now)
  signAnswer('A', 'other', now)
  t.equal(signatures(), 3)
  signAnswer('A', 'body', now + 1_000)
  t.equal(signatures(), 4)
  t.same(signAnswer('A', 'body', now), createCounted().signAnswer('A', 'body', now), 'the same bytes, kept or not')
})

t.test('keeps a bounded number, and nothing of the second before', async (t) => {
  const { signAnswer, signatures } = createCounted()
  const kept = 20
  for (let n = 0; n < kept; n++) signAnswer(`C${n}`, 'body', now)
  signAnswer('C0', 'body', now + 1_000)
  for (let n = 0; n < kept; n++) signAnswer(`C${n}`, 'body', now)
  t.equal(signatures(), kept + 1 + kept)
})
