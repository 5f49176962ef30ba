import t from 'tap'
import { parseSignatureHeader, readSignedHeaders } from '../../services/gateway/alipayplus-headers.ts'
import { parseRequestTime } from '../../services/gateway/request-time.ts'

const bytes = Buffer.from('fbef'.repeat(128), 'hex')
const standard = bytes.toString('base64')
const urlSafe = bytes.toString('base64url')

t.test('reads every documented spelling of the signature header', async (t) => {
  const spellings = [
    `algorithm=RSA256, keyVersion=1, signature=${encodeURIComponent(standard)}`,
    `algorithm=RSA256,keyVersion=1,signature=${encodeURIComponent(standard)}`,
    `signature=${standard},keyVersion=1,algorithm=RSA256`,
    `keyVersion=1,signature=${urlSafe},algorithm=RSA256`,
    `algorithm=RSA256,keyVersion=1,signature=${urlSafe}==`,
    `  Algorithm = RSA256 ,  KEYVERSION = 1 , Signature = ${standard}  `,
    `algorithm=RSA256,keyVersion=1,signature=${standard.replaceAll('+', '%2b').replaceAll('/', '%2f').replaceAll('=', '%3d')}`,
    `algorithm=RSA256,keyVersion=1,somethingNew=a=b,signature=${standard}`,
  ]
  for (const header of spellings) t.same(parseSignatureHeader(header), { keyVersion: '1', signature: bytes }, header.slice(0, 60))
})

t.test('an absent version is absent, an empty one is not', async (t) => {
  t.same(parseSignatureHeader(`algorithm=RSA256,signature=${standard}`), { signature: bytes })
  t.same(parseSignatureHeader(`algorithm=RSA256,keyVersion=,signature=${standard}`), { keyVersion: '', signature: bytes })
})

t.test('refuses what could be read in two ways, and every other algorithm', async (t) => {
  const refused = [
    '',
    'signature',
    standard,
    `keyVersion=1,signature=${standard}`,
    `algorithm=RSA256,keyVersion=1`,
    `algorithm=RSA256,keyVersion=1,signature=`,
    ...['rsa256', 'RSA1', 'RS256', 'RSA512', 'HMAC256', 'none', 'RSASSA-PSS', 'SHA1withRSA', 'RSA256 RSA256', '"RSA256"'].map(
      (algorithm) => `algorithm=${algorithm},keyVersion=1,signature=${standard}`,
    ),
    `algorithm=RSA256,algorithm=RSA256,keyVersion=1,signature=${standard}`,
    `algorithm=RSA256,keyVersion=1,keyVersion=2,signature=${standard}`,
    `algorithm=RSA256,keyVersion=1,signature=${standard},signature=${standard}`,
    `algorithm=RSA256,keyVersion=1,signature=${standard},Signature=x`,
    `algorithm=RSA256,keyVersion=1,signature=${encodeURIComponent(encodeURIComponent(standard))}`,
    `algorithm=RSA256,keyVersion=1,signature=${standard.slice(0, 100)} ${standard.slice(100)}`,
    `algorithm=RSA256,keyVersion=1,signature=${standard.replaceAll('=', '')}`,
    `algorithm=RSA256,keyVersion=1,signature=${standard}garbage`,
    `algorithm=RSA256,keyVersion=1,signature=%`,
    `algorithm=RSA256,keyVersion=1,signature=%ff%fe`,
  ]
  for (const header of refused) t.equal(parseSignatureHeader(header), undefined, header.slice(0, 80))
})

t.test('wants each signed header exactly once, printable, of sane length', async (t) => {
  const good = [
    'Client-Id',
    'C',
    'request-time',
    '2025-02-20T08:51:49.09Z',
    'SIGNATURE',
    `algorithm=RSA256,signature=${standard}`,
  ]
  t.ok(readSignedHeaders(good))
  for (const name of ['Client-Id', 'request-time', 'SIGNATURE']) {
    const at = good.indexOf(name)
    t.notOk(readSignedHeaders(good.toSpliced(at, 2)), `without ${name}`)
    t.notOk(readSignedHeaders([...good, name.toLowerCase(), good[at + 1] as string]), `${name} twice`)
    t.notOk(readSignedHeaders(good.with(at + 1, '')), `${name} empty`)
    t.notOk(readSignedHeaders(good.with(at + 1, `${good[at + 1]}é`)), `${name} not ASCII`)
    t.notOk(readSignedHeaders(good.with(at + 1, `${good[at + 1]}${'9'.repeat(3_000)}`)), `${name} too long`)
  }
  t.notOk(readSignedHeaders([...good, 'X-Signature', 'Client-Id'].with(0, 'X-Other')), 'a value is no name')
})

t.test('reads times with an offset, with Z, with 0 to 9 fraction digits, and as 13 digits', async (t) => {
  const at = Date.UTC(2025, 1, 20, 8, 51, 49)
  const times: Record<string, number> = {
    '2025-02-20T08:51:49Z': at,
    '2025-02-20T08:51:49.09Z': at + 90,
    '2025-02-20T08:51:49.123456789Z': at + 123,
    '2025-02-20T14:21:49+05:30': at,
    '2025-02-20T16:51:49+0800': at,
    '2025-02-20t08:51:49z': at,
    [String(at)]: at,
  }
  for (const [text, expected] of Object.entries(times)) t.equal(parseRequestTime(text), expected, text)
  for (const text of [
    '',
    'now',
    '2025-02-20',
    '2025-02-20T08:51:49',
    '2025-13-40T08:51:49Z',
    '17400000',
    '2025-02-20 08:51:49Z',
  ]) {
    t.equal(parseRequestTime(text), undefined, text)
  }
})
