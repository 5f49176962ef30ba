import type { Fields } from '../../shared/contracts/deduplication-key.ts'
import { readJsonObject } from '../../shared/contracts/read-json.ts'

/**
 * The body taken apart, for both styles alike, so that no answer tells which one an account has: `param` is that member's own characters
 * (`providers.md` §3.2), `flat` the text that the flat style signs (§3.3); at least one of the two is there.
 */
export type SignedBody = { sign: string; param?: string; flat?: string; fields: Fields }

/** Fields that the pipeline reads: here a number must read as it was signed. `"1e3"` made a number keeps its signature and becomes 1000. */
const readFields = ['eventName', 'userId', 'requestId', 'channelCode', 'countryCode', 'paytoken', 'tokenStatus', 'expiresTime']
const textFields = new Set([...readFields, 'inactiveTime', 'inactiveType', 'userLoginId'])

/** Undefined when no signed text can be told for sure: not one JSON object, a name twice, half a surrogate pair, no `sign`. */
export function readSignedBody(body: Buffer): SignedBody | undefined {
  const reading = readJsonObject(body)
  if (!('fields' in reading)) return undefined
  const { fields } = reading
  if (typeof fields.sign !== 'string') return undefined
  const signed: SignedBody = { sign: fields.sign, fields }
  if (typeof fields.param === 'string') signed.param = fields.param
  const flat = flatText(fields, numbersAsWritten(body))
  if (flat !== undefined) signed.flat = flat
  return signed.param === undefined && flat === undefined ? undefined : signed
}

/**
 * All fields but `sign` and what is null or empty, by name in ASCII order, `name=value` joined by `&`, numbers as written. `&` and `=` have
 * no escape in it, so other fields can give the same text: the reading with the most fields is the only one taken (undefined for the
 * others, and for a value that is no scalar). Who lets the platform sign a value with `&name=` in it thus signs a field; only `param` is safe.
 */
function flatText(fields: Fields, numbers: Map<string, string>): string | undefined {
  const pairs: string[] = []
  for (const name of Object.keys(fields).sort()) {
    const value = fields[name]
    if (name === 'sign' || value === null || value === '') continue
    const written = typeof value === 'number' ? numbers.get(name) : String(value)
    if (typeof value === 'object' || written === undefined || /[&=]/.test(name) || /&[^&]*=/.test(written)) return undefined
    if (typeof value === 'number' && written !== String(value) && textFields.has(name)) return undefined
    pairs.push(`${name}=${written}`)
  }
  return pairs.length > 0 ? pairs.join('&') : undefined
}

/** The source text of each number: `100.00` was signed, not `100`. The third argument is too new for TypeScript's library. */
function numbersAsWritten(body: Buffer): Map<string, string> {
  const numbers = new Map<string, string>()
  const note = (name: string, value: unknown, { source }: { source: string }) => {
    if (typeof value === 'number') numbers.set(name, source)
    return value
  }
  JSON.parse(body.toString('utf8'), note as (name: string, value: unknown) => unknown)
  return numbers
}
