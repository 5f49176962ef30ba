import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keyAt, loadIdentityKey, loadKeyRing, refuseDevelopmentKeys } from '../../shared/security/keys.ts'
import { writeTestKeys } from '../fixtures/keys.ts'

const canary = 'c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5LTMyYnk'
const oct = { kty: 'oct', kid: 'one', activeFrom: '2026-01-01T00:00:00Z', k: canary }
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ec = (jwk: object) => ({ ...jwk, kid: 'one', activeFrom: '2026-01-01T00:00:00Z' })
const folder = t.testdir()
const file = join(folder, 'keys.json')
const write = (content: unknown) => writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))

function mistake(load: () => unknown): string {
  try {
    load()
  } catch (error) {
    return (error as Error).message
  }
  return 'no mistake'
}
const mistakeIn = (content: unknown, kind: 'public' | 'private' | 'secret' = 'secret') => {
  write(content)
  return mistake(() => loadKeyRing(file, kind))
}

t.test('the key files of the tests load, each as its kind', async (t) => {
  const files = writeTestKeys(folder)
  t.match(loadKeyRing(files.rawPublic, 'public'), { development: true, keys: [{ kid: 'test-raw' }] })
  t.match(loadKeyRing(files.rawPrivate, 'private'), { development: true, keys: [{ kid: 'test-raw' }] })
  t.match(loadKeyRing(files.credentials, 'secret'), { development: true, keys: [{ kid: 'test-credentials' }] })
  t.match(loadIdentityKey(files.identity), { development: true })
})

t.test('a mistake names the file, the rule and the way to make keys, never a value', async (t) => {
  for (const [content, rule] of [
    [`{"keys":[{"k":"${canary}"`, /is not JSON/],
    [{ keys: [] }, /\/keys must NOT have fewer than 1 items/],
    [{ jwks: [oct] }, /must have required property 'keys'/],
    [{ keys: [{ k: canary }] }, /required property 'kty'.*'kid'.*'activeFrom'/],
    [{ keys: [{ ...oct, kty: 'RSA' }] }, /\/keys\/0\/kty must be equal to one of/],
    [{ keys: [{ ...oct, kid: canary.repeat(2) }] }, /\/keys\/0\/kid must match pattern/],
    [{ keys: [{ ...oct, activeFrom: canary }] }, /\/keys\/0\/activeFrom must match pattern/],
    [{ keys: [{ ...oct, activeFrom: '2026-13-41T00:00:00Z' }] }, /activeFrom of key one is no date/],
    [{ keys: [oct, oct] }, /a kid twice/],
    [{ keys: [{ ...oct, k: canary.slice(1) }] }, /key one is not a 256-bit oct key/],
    [{ keys: [{ ...oct, k: undefined }] }, /key one is not a 256-bit oct key/],
    [{ keys: [{ ...oct, development: true }], development: 'yes' }, /\/development must be boolean/],
  ] as const) {
    const message = mistakeIn(content)
    t.match(message, rule)
    t.match(message, file)
    t.notMatch(message, canary.slice(1, -1), 'no value')
  }
  t.match(mistakeIn({ keys: [] }), /operator -- keys make/)
})

t.test('a file that is missing is named', async (t) => {
  t.match(
    mistake(() => loadKeyRing(join(folder, 'missing.json'), 'secret')),
    /missing\.json cannot be read \(ENOENT\)/,
  )
})

t.test('a key of another kind is refused: above all a private key where a public one belongs', async (t) => {
  const [publicJwk, privateJwk] = [ec(p256.publicKey.export({ format: 'jwk' })), ec(p256.privateKey.export({ format: 'jwk' }))]
  t.equal(mistakeIn({ keys: [publicJwk] }, 'public'), 'no mistake')
  t.equal(mistakeIn({ keys: [privateJwk] }, 'private'), 'no mistake')
  t.match(mistakeIn({ keys: [privateJwk] }, 'public'), /not an EC P-256 public key/)
  t.match(mistakeIn({ keys: [publicJwk] }, 'private'), /not an EC P-256 private key/)
  t.match(mistakeIn({ keys: [publicJwk] }, 'secret'), /not a 256-bit oct key/)
  t.match(mistakeIn({ keys: [oct] }, 'private'), /not an EC P-256 private key/)
  t.match(mistakeIn({ keys: [ec(p384.publicKey.export({ format: 'jwk' }))] }, 'public'), /not an EC P-256 public key/)
  t.match(mistakeIn({ keys: [{ ...publicJwk, x: 'AAAA' }] }, 'public'), /not an EC P-256 public key/)
})

t.test('an identity key file holds one key, because it never rotates in place', async (t) => {
  write({ keys: [oct, { ...oct, kid: 'two' }] })
  t.match(
    mistake(() => loadIdentityKey(file)),
    /must hold one key/,
  )
})

t.test('the key in force is the latest that is active by then', async (t) => {
  write({
    keys: [
      { ...oct, kid: 'new', activeFrom: '2026-06-01T00:00:00Z' },
      { ...oct, kid: 'old' },
    ],
  })
  const ring = loadKeyRing(file, 'secret')
  const kidAt = (instant: string) => keyAt(ring, Date.parse(instant)).kid
  t.equal(kidAt('2025-01-01T00:00:00Z'), 'old', 'before all: the first')
  t.equal(kidAt('2026-05-31T23:59:59.999Z'), 'old')
  t.equal(kidAt('2026-06-01T00:00:00Z'), 'new')
})

t.test('development keys run with brokers on loopback only, however the others are spelled', async (t) => {
  const refused = (brokers: string[], development = true) =>
    mistake(() => refuseDevelopmentKeys(brokers, [{ name: 'IDENTITY_KEY_FILE', development }])) !== 'no mistake'
  for (const broker of ['localhost:9092', '127.0.0.1:9092', '127.1.2.3:1', '[::1]:9092']) t.notOk(refused([broker]), broker)
  const elsewhere = ['kafka:9092', '10.0.0.1:9092', '0.0.0.0:9092', '[::]:9092', '[::ffff:10.0.0.1]:9092', '128.0.0.1:9092']
  const lookalikes = [
    'localhost.example:9092',
    'localhost.:9092',
    '127.0.0.1.example:9092',
    '127.0.0.999:9092',
    '127.example:9092',
  ]
  const odd = ['127.0.0.1@kafka:9092', 'kafka:9092/127.0.0.1:9092', '127.0.0.1:9092 kafka:9092', 'localhost:9092\nkafka:9092', '']
  for (const broker of [...elsewhere, ...lookalikes, ...odd]) t.ok(refused([broker]), JSON.stringify(broker))
  t.ok(refused(['127.0.0.1:9092', 'kafka:9092']), 'one of several')
  t.notOk(refused(['kafka:9092'], false), 'keys without the mark')
})

t.test('the refusal names the variables, all of them', async (t) => {
  const files = ['A_FILE', 'B_FILE', 'C_FILE'].map((name) => ({ name, development: name !== 'B_FILE' }))
  t.match(
    mistake(() => refuseDevelopmentKeys(['kafka:9092'], files)),
    /^A_FILE, C_FILE: development keys/,
  )
})
