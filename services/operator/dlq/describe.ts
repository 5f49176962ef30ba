/**
 * A dead letter for a person to look at, without its credentials. Sealed values are not shown even sealed: a terminal's scrollback and a ticket
 * lack the topic's access control and its retention, and keys can leak later. Their size and key id say all that helps. Of what is no
 * sealed value only listed members are shown, and only where they look as they should: something else may have written it.
 */
import { header } from '../../../shared/contracts/headers.ts'
import { readJsonObject } from '../../../shared/contracts/read-json.ts'
import { parse } from '../../../shared/security/jwe.ts'
import { type DeadLetter, printable, shownKey } from './dead-letter.ts'
import { type Rules, redriven } from './redrive.ts'

type Described = { what: string; kid?: string; sealedBytes?: number; fields?: Record<string, string> }

const known: ReadonlySet<string> = new Set(Object.values(header))

/** As one document. Headers are never secret by contract, so those of the contract are shown, of others only their size. */
export function describeDeadLetter(letter: DeadLetter, rules: Rules) {
  const { record, stage, position, reason, detail, failedAt, from, origin } = letter
  const back = redriven(letter, rules)
  const shown = Object.entries(record.headers).map(([name, text]): [string, string] => [
    printable(name),
    known.has(name) ? printable(text) : `(${Buffer.byteLength(text)} bytes, not ours)`,
  ])
  return {
    position,
    stage,
    reason: printable(reason),
    detail: printable(detail),
    failedAt: printable(failedAt),
    fellOutOf: printable(`${from.topic}/${from.partition}/${from.offset}`),
    origin: printable(origin),
    acceptedAt: new Date(record.timestamp).toISOString(),
    key: shownKey(record.key),
    valueBytes: record.value?.length ?? 0,
    value: describeValue(record.value),
    headers: Object.fromEntries(shown),
    redrive:
      'refused' in back
        ? { refused: back.refused }
        : { to: `${back.topic}/${back.partition}`, until: new Date(record.timestamp + rules.windowMs).toISOString() },
  }
}

function describeValue(value: Buffer | null): Described {
  if (value === null) return { what: 'nothing: the record has no value' }
  const kid = kidOf(value.toString('latin1'))
  if (kid) return { what: 'a sealed raw notification', kid }
  const read = readJsonObject(value)
  if (!('fields' in read)) return { what: 'neither sealed nor a JSON object; not shown' }
  const { sealed } = read.fields
  const sealedKid = typeof sealed === 'string' ? kidOf(sealed) : undefined
  return {
    what: 'a JSON object; only members of a token event that hold no credential are shown',
    fields: listedFields(read.fields),
    ...(typeof sealed === 'string' && { sealedBytes: sealed.length }),
    ...(sealedKid && { kid: sealedKid }),
  }
}

const kidOf = (jwe: string): string | undefined => parse(jwe)?.header.kid

const ref = /^[0-9a-f]{32}$/
const word = /^[a-z][a-z.-]{0,39}$/
const instant = /^\d{4}-\d\d-\d\dT[\d:.]{5,12}Z$/
const merchant = /^[\x21-\x7e]{1,128}$/
/** Members of a token event that may be shown, and what they must look like. */
const listed: [string, RegExp][] = [
  ['eventId', ref],
  ['type', word],
  ['late', /^(true|false)$/],
  ['provider', word],
  ['merchantId', merchant],
  ['token.ref', ref],
  ['token.status', word],
  ['times.receivedAt', instant],
]

function listedFields(value: Record<string, unknown>): Record<string, string> {
  const found = listed.flatMap(([path, looks]): [string, string][] => {
    const at = path.split('.').reduce<unknown>((inside, name) => (isObject(inside) ? inside[name] : undefined), value)
    const text = typeof at === 'string' || typeof at === 'boolean' ? String(at) : ''
    return looks.test(text) ? [[path, text]] : []
  })
  return Object.fromEntries(found)
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** The document as lines for people: a name and its value, members of members indented. */
export function linesOf(document: object, indent = ''): string[] {
  return Object.entries(document).flatMap(([name, value]) =>
    isObject(value) ? [`${indent}${name}:`, ...linesOf(value, `${indent}  `)] : [`${indent}${name}: ${String(value)}`],
  )
}
