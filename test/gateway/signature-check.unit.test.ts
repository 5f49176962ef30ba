import { constants, publicEncrypt, sign } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { decodeBase64 } from '../../services/gateway/base64.ts'
import { readPublicKey, type VerifyingKey } from '../../services/gateway/rsa-keys.ts'
import { createSignatureCheck } from '../../services/gateway/signature-check.ts'
import { keyPair, rsaSign, spki } from './signing.ts'

const verifying = (name: string, bits?: number): VerifyingKey => {
  const read = readPublicKey(spki(keyPair(name, bits)))
  if ('mistake' in read) throw new Error(read.mistake)
  return read.key
}
const content = Buffer.from('what was signed')

t.test('verifies SHA256withRSA by keys of 2048, 3072 and 4096 bits', async (t) => {
  for (const bits of [2048, 3072, 4096]) {
    const verifies = createSignatureCheck()
    const signature = rsaSign(content, keyPair('a', bits))
    t.equal(verifies(verifying('a', bits), content, signature), true, `${bits}`)
    t.equal(verifies(verifying('a', bits), Buffer.from('something else'), signature), false, `${bits}, other content`)
  }
})

t.test('takes no other algorithm, whatever is claimed', async (t) => {
  const { privateKey } = keyPair('a')
  const verifies = createSignatureCheck()
  const others = {
    'SHA-1': sign('sha1', content, { key: privateKey, padding: constants.RSA_PKCS1_PADDING }),
    'SHA-512': sign('sha512', content, { key: privateKey, padding: constants.RSA_PKCS1_PADDING }),
    'RSA-PSS': sign('sha256', content, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING }),
    'an encryption with the public key': publicEncrypt(keyPair('a').publicKey, Buffer.alloc(32)),
  }
  for (const [name, signature] of Object.entries(others)) t.equal(verifies(verifying('a'), content, signature), false, name)
})

t.test(
  'does one exponentiation of the size of the signature, whether the key is known or not and whatever its size',
  async (t) => {
    const sizes: number[] = []
    const verifies = createSignatureCheck((bits) => sizes.push(bits))
    const short = rsaSign(content, keyPair('a'))
    const long = rsaSign(content, keyPair('a', 4096))
    const candidates = [undefined, verifying('a'), verifying('b'), verifying('a', 4096), verifying('a', 3072)]
    for (const candidate of candidates) {
      verifies(candidate, content, short)
      verifies(candidate, content, long)
      verifies(candidate, content, Buffer.alloc(256, 0xff).fill(0, 16))
    }
    t.same(
      sizes,
      candidates.flatMap(() => [2048, 4096, 2048]),
    )
  },
)

t.test('a signature at or above the modulus, which OpenSSL refuses at once, costs the same as any other', async (t) => {
  const sizes: number[] = []
  const verifies = createSignatureCheck((bits) => sizes.push(bits))
  const key = verifying('a')
  t.equal(verifies(key, content, key.modulus), false)
  t.equal(verifies(undefined, content, key.modulus), false)
  t.same(sizes, [2048, 2048])
})

t.test('an unknown key never verifies, not even by its stand-in', async (t) => {
  const verifies = createSignatureCheck()
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 0, maxLength: 600 }), async (signature) => {
      t.notOk(verifies(undefined, content, Buffer.from(signature)))
    }),
    { numRuns: 100 },
  )
})

t.test('base64 is taken in its one canonical spelling', async (t) => {
  const bytes = Buffer.from([0xfb, 0xef, 0xbe, 0xff, 0xfe])
  t.same(decodeBase64('++++//4=', 'base64'), Buffer.from('++++//4=', 'base64'))
  t.same(decodeBase64(bytes.toString('base64'), 'base64', 'base64url'), bytes, 'standard with padding')
  t.same(decodeBase64(bytes.toString('base64url'), 'base64', 'base64url'), bytes, 'URL-safe without padding')
  t.same(decodeBase64(`${bytes.toString('base64url')}=`, 'base64', 'base64url'), bytes, 'URL-safe with padding')
  const wrong = [
    '--++//4=',
    '++++//4',
    '++++//5=',
    '++++//4==',
    '++++ //4=',
    '++++//4=x',
    '\n++++//4=',
    '++++//4=++++',
    '%2B%2B++//4=',
  ]
  for (const text of wrong) t.equal(decodeBase64(text, 'base64', 'base64url'), undefined, JSON.stringify(text))
  t.equal(decodeBase64(bytes.toString('base64url'), 'base64'), undefined, 'URL-safe where only standard is documented')
})

t.test('any bytes come back from both alphabets, and no text but the canonical ones gives them', async () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), (raw, text) => {
      const bytes = Buffer.from(raw)
      const decoded = decodeBase64(text, 'base64')
      return (
        decodeBase64(bytes.toString('base64'), 'base64')?.equals(bytes) === true &&
        decodeBase64(bytes.toString('base64url'), 'base64url')?.equals(bytes) === true &&
        (decoded === undefined || decoded.toString('base64') === text)
      )
    }),
  )
})
