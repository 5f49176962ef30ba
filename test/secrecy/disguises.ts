/** In which forms a secret may lie somewhere: how it would be written (for planting), and what to look for (for the scan). Pure. */

export type Disguise = {
  name: string
  /** A text that holds the secret, as a program would write it in this form. */
  write: (secret: string) => Buffer
  /** What the form of a mark looks like, wherever in the text it stands. */
  needles: (mark: Buffer) => Buffer[]
}

export type Find = { disguise: string; offset: number }

const each = (bytes: Buffer, form: (byte: number) => string) => Buffer.from([...bytes].map(form).join(''))
const hexOf = (byte: number) => byte.toString(16).padStart(2, '0')
const upperCase = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').toUpperCase(), 'latin1')
const lowerCase = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').toLowerCase(), 'latin1')
const list = (bytes: Buffer, separator: string, form: (byte: number) => string) =>
  Buffer.from([...bytes].map(form).join(separator))

/** UTF-8 of a quoted text, as a JSON member would have it around the secret. */
const member = (secret: string) => Buffer.from(JSON.stringify({ accessToken: secret }))
const escaped = (secret: string) =>
  [...secret].map((character) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`).join('')

function encoded(name: string, encode: (bytes: Buffer) => Buffer): Disguise {
  return { name, write: (secret) => encode(member(secret)), needles: (mark) => [encode(mark)] }
}

/** The characters of base64 that depend on the mark alone, when `before` bytes stand before it in its group of three. */
function base64Core(mark: Buffer, before: number, encoding: 'base64' | 'base64url'): Buffer {
  const text = Buffer.concat([Buffer.alloc(before), mark]).toString(encoding)
  return Buffer.from(text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + mark.length) * 8) / 6)))
}

/** Written with one to three bytes before it; the mark at the end of a secret then stands at yet another place. */
function base64(encoding: 'base64' | 'base64url', before: number): Disguise {
  return {
    name: `${encoding}, ${before} before`,
    write: (secret) => Buffer.from(Buffer.concat([Buffer.alloc(before, '>'), Buffer.from(secret)]).toString(encoding)),
    needles: (mark) => [base64Core(mark, before, encoding)],
  }
}

export const disguises: Disguise[] = [
  { name: 'plain', write: (secret) => Buffer.from(secret), needles: (mark) => [mark] },
  { name: 'JSON', write: member, needles: (mark) => [mark] },
  encoded('lower case', lowerCase),
  encoded('upper case', upperCase),
  // Without the last zero it is found in both byte orders.
  {
    name: 'UTF-16',
    write: (secret) => Buffer.from(secret, 'utf16le'),
    needles: (mark) => [Buffer.from(mark.toString('latin1'), 'utf16le').subarray(0, -1)],
  },
  ...[0, 1, 2].flatMap((before) => [base64('base64', before), base64('base64url', before)]),
  encoded('hex', (bytes) => each(bytes, hexOf)),
  encoded('HEX', (bytes) => upperCase(each(bytes, hexOf))),
  // `<Buffer 7b 22 …>`, as console.log prints.
  encoded('hex with blanks', (bytes) => list(bytes, ' ', hexOf)),
  // `{"type":"Buffer","data":[123,34,…]}`, as JSON.stringify makes of a Buffer.
  encoded('decimal bytes', (bytes) => list(bytes, ',', String)),
  { name: 'URL-encoded', write: (secret) => Buffer.from(encodeURIComponent(secret)), needles: (mark) => [mark] },
  encoded('URL-encoded throughout', (bytes) => each(bytes, (byte) => `%${hexOf(byte)}`)),
  encoded('URL-ENCODED throughout', (bytes) => each(bytes, (byte) => `%${hexOf(byte).toUpperCase()}`)),
  {
    name: 'JSON-escaped throughout',
    write: (secret) => Buffer.from(escaped(secret)),
    needles: (mark) => [each(mark, (byte) => `\\u00${hexOf(byte)}`), each(mark, (byte) => `\\u00${hexOf(byte).toUpperCase()}`)],
  },
]

/** Looks for any of the marks in every form. Finds each form once at most: one is enough. */
export function createScan(marks: Buffer[]): (bytes: Buffer) => Find[] {
  const needles = new Map<string, { disguise: string; needle: Buffer }>()
  for (const mark of marks) {
    for (const { name, needles: forms } of disguises) {
      for (const needle of forms(mark)) {
        const id = needle.toString('latin1')
        if (!needles.has(id)) needles.set(id, { disguise: name, needle })
      }
    }
  }
  return (bytes) =>
    [...needles.values()].flatMap(({ disguise, needle }) => {
      const offset = bytes.indexOf(needle)
      return offset === -1 ? [] : [{ disguise, offset }]
    })
}
