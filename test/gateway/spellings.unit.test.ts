/** Properties: any valid request in any documented spelling is accepted, any mutation of a valid request is refused. */
import fc from 'fast-check'
import t from 'tap'
import { alipayPlusPath, clientId, flatPathId } from './gateway-under-test.ts'
import { createRoutes } from './routes-under-test.ts'
import { alipayPlusSignature, keyPair, rsaSign, signFlat } from './signing.ts'

const routes = createRoutes()
const numRuns = 300

const bodies: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
)
const seconds = fc.integer({ min: Date.UTC(2019, 0), max: Date.now() - 15 * 3_600_000 }).map((at) => Math.floor(at / 1000) * 1000)
const times = fc
  .tuple(seconds, fc.constantFrom('Z', '+08:00', '+05:30', '-07:00'), fc.stringMatching(/^(\.\d{1,9})?$/))
  .map(([at, zone, fraction]) => new Date(at).toISOString().slice(0, 19) + fraction + zone)
const anyTime = fc.oneof(times, seconds.map(String))

const upperOrLower = (name: string) => fc.constantFrom(name, name.toLowerCase(), name.toUpperCase())
const blanks = fc.stringMatching(/^ {0,2}$/)

/** Ways to write the bytes of a signature. */
const encodings: ((bytes: Buffer) => string)[] = [
  (bytes) => encodeURIComponent(bytes.toString('base64')),
  (bytes) => encodeURIComponent(bytes.toString('base64')).replace(/%../g, (hex) => hex.toLowerCase()),
  (bytes) => bytes.toString('base64'),
  (bytes) => bytes.toString('base64url'),
  (bytes) => `${bytes.toString('base64url')}==`,
  (bytes) => encodeURIComponent(`${bytes.toString('base64url')}==`),
]

/** A signature header in some spelling, and headers in some order and case. */
const spelling = fc.record({
  order: fc.shuffledSubarray(['algorithm', 'keyVersion', 'signature'], { minLength: 3 }),
  withVersion: fc.boolean(),
  names: fc.tuple(upperOrLower('algorithm'), upperOrLower('keyVersion'), upperOrLower('signature')),
  pads: fc.array(blanks, { minLength: 4, maxLength: 4 }),
  encode: fc.constantFrom(...encodings),
  headers: fc.tuple(upperOrLower('Client-Id'), upperOrLower('Request-Time'), upperOrLower('Signature')),
  turn: fc.integer({ min: 0, max: 2 }),
})
type Spelling = typeof spelling extends fc.Arbitrary<infer S> ? S : never

function spell(s: Spelling, time: string, signature: Buffer, client = clientId): string[] {
  const [algorithm, keyVersion, value] = s.names
  const members: Record<string, [string, string]> = {
    algorithm: [algorithm, 'RSA256'],
    keyVersion: [keyVersion, '1'],
    signature: [value, s.encode(signature)],
  }
  const [a = '', b = '', c = '', d = ''] = s.pads
  const text = s.order
    .filter((name) => name !== 'keyVersion' || s.withVersion)
    .map((name) => members[name] as [string, string])
    .map(([name, member]) => `${a}${name}${b}=${c}${member}${d}`)
    .join(',')
  const headers = [
    [s.headers[0], client],
    [s.headers[1], time],
    [s.headers[2], text.trim()],
  ]
  return [...headers.slice(s.turn), ...headers.slice(0, s.turn)].flat() as string[]
}

const signed = (time: string, body: Buffer) =>
  alipayPlusSignature({ path: alipayPlusPath, clientId, time, keyVersion: '1', body, pair: keyPair('alipayplus') })

t.test('Alipay+: any body and time, signed, is accepted in any documented spelling', async () => {
  fc.assert(
    fc.property(bodies, anyTime, spelling, (body, time, s) => {
      return routes.alipayPlus(spell(s, time, signed(time, body)), body).kind === 'verified'
    }),
    { numRuns },
  )
})

t.test('Alipay+: a change of any byte of body, time, client or signature is refused', async () => {
  const change = fc.record({
    where: fc.constantFrom('body', 'time', 'client', 'signature', 'text'),
    how: fc.constantFrom('flip', 'insert', 'delete', 'truncate'),
    at: fc.nat(),
    bit: fc.integer({ min: 0, max: 7 }),
  })
  const changed = (bytes: Buffer, { how, at, bit }: { how: string; at: number; bit: number }): Buffer => {
    const place = bytes.length === 0 ? 0 : at % bytes.length
    if (how === 'insert' || bytes.length === 0)
      return Buffer.concat([bytes.subarray(0, place), Buffer.from([48 + bit]), bytes.subarray(place)])
    if (how === 'delete') return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)])
    if (how === 'truncate') return bytes.subarray(0, place)
    const copy = Buffer.from(bytes)
    copy[place] = (copy[place] as number) ^ (1 << bit)
    return copy
  }
  fc.assert(
    fc.property(bodies, times, spelling, change, (body, time, s, c) => {
      const signature = signed(time, body)
      const parts = { body, time, client: clientId, headers: spell(s, time, signature) }
      if (c.where === 'body') parts.body = changed(body, c)
      if (c.where === 'time') parts.headers = spell(s, changed(Buffer.from(time), c).toString('latin1'), signature)
      if (c.where === 'client') parts.headers = spell(s, time, signature, changed(Buffer.from(clientId), c).toString('latin1'))
      if (c.where === 'signature') parts.headers = spell(s, time, changed(signature, c))
      if (c.where === 'text') {
        const text = changed(Buffer.from(s.encode(signature)), c).toString('latin1')
        // Another canonical spelling of the same bytes is no mutation: `-` for the only `+`, `%2f` for `%2F`, padding left off.
        fc.pre(!encodings.some((encode) => encode(signature).toLowerCase() === text.toLowerCase()))
        parts.headers = spell({ ...s, encode: () => text }, time, signature)
        if (text.trim() === s.encode(signature)) return true
      }
      return routes.alipayPlus(parts.headers, parts.body).kind === 'refused'
    }),
    { numRuns },
  )
})

/** JSON text with some of its characters escaped, as a sender may. */
function escaped(text: string, seed: number): string {
  const characters = [...text].map((character, at) => {
    if ((at * 7919 + seed) % 3 !== 0) return JSON.stringify(character).slice(1, -1)
    return character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('')
  })
  return `"${characters.join('')}"`
}

t.test('BluePay: any param, signed, is accepted in any JSON spelling; a change of any character is refused', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), fc.boolean(), fc.nat(), (param, seed, turned, at) => {
      const sign = rsaSign(param, keyPair('bluepay')).toString('base64')
      const members = [`"param" : ${escaped(param, seed)}`, `"sign":"${sign}"`]
      const accepted = routes.bluePay(`\t{ ${(turned ? members.reverse() : members).join(' ,\n')} }`).kind === 'verified'
      const place = at % (param.length + 1)
      const other = `${param.slice(0, place)}${param[place] === 'x' ? 'y' : 'x'}${param.slice(place + 1)}`
      const otherSign = `${sign.slice(0, at % 340)}${sign[at % 340] === 'A' ? 'B' : 'A'}${sign.slice((at % 340) + 1)}`
      const refused = [
        { param: other, sign },
        { param, sign: otherSign },
        { param: `${param}\u0000`, sign },
      ].every((body) => routes.bluePay(JSON.stringify(body)).kind === 'refused')
      return accepted && refused
    }),
    { numRuns },
  )
})

const pieces = fc.string({ unit: fc.constantFrom('a', 'b', '1', '&', '=', '.', '-', 'e'), maxLength: 8 })

const fieldsJson = (fields: Record<string, string>) => {
  const number = /^-?[1-9]\d*(\.\d+)?(e\d+)?$/
  return `{${Object.entries(fields).map(([name, value]) => `"${name}":${number.test(value) ? value : JSON.stringify(value)}`)}}`
}

t.test('the flat style: one signed text has one accepted meaning, however it is cut into fields', async (t) => {
  let both = 0
  const names = fc.constantFrom('a', 'b', 'userId', 'requestId')
  fc.assert(
    fc.property(fc.dictionary(names, pieces, { minKeys: 1 }), fc.array(fc.boolean()), (fields, cuts) => {
      const present = Object.entries(fields).filter(([, value]) => value !== '')
      const text = present
        .sort(([x], [y]) => (x < y ? -1 : 1))
        .map(([name, value]) => `${name}=${value}`)
        .join('&')
      fc.pre(text !== '')
      // Somebody else's fields with the same text: cut at other places, numbers for strings.
      const other: Record<string, string> = {}
      let name = ''
      for (const [at, piece] of text.split('&').entries()) {
        const equals = piece.indexOf('=')
        if (name === '' || (cuts[at] && equals > 0)) {
          name = piece.slice(0, equals)
          other[name] = piece.slice(equals + 1)
        } else other[name] += `&${piece}`
      }
      const genuine = JSON.stringify(Object.fromEntries(present))
      const verdicts = [genuine, fieldsJson(other)].map(
        (json) => routes.bluePay(signFlat(json, text, keyPair('bluepay')), flatPathId).kind,
      )
      if (verdicts.includes('refused')) return true
      both++
      return JSON.stringify(Object.entries(other).sort()) === JSON.stringify(present.sort())
    }),
    { numRuns },
  )
  t.ok(both > 20, `${both} accepted both`)
})
