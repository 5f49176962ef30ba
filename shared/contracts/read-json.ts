import type { Fields } from './deduplication-key.ts'

/** Why bytes are no notification: a code to count by, and a sentence that quotes none of them. */
export type Unreadable = { reason: 'unreadable' | 'not-json' | 'ambiguous' | 'too-deep'; detail: string }

/** Documented notifications are three levels deep. JSON.parse takes a million, but recursive readers die at some thousands. */
const maxDepth = 32

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A JSON object that every reader reads alike, or why it is none: UTF-8 without repair, no name twice (one reader takes the first,
 * another the last), no half of a surrogate pair (two different texts would become one), no deep nesting. `__proto__` is a name like any
 * other. Gateway and normalizer both read by this, so that they agree which notification has a de-duplication key.
 */
export function readJsonObject(json: Buffer | string): { fields: Fields } | Unreadable {
  let text: string
  try {
    text = typeof json === 'string' ? json : utf8.decode(json)
  } catch {
    return { reason: 'unreadable', detail: 'the bytes are not UTF-8' }
  }
  if (!text.isWellFormed()) return { reason: 'unreadable', detail: 'the text holds half of a surrogate pair' }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { reason: 'not-json', detail: 'the text is not JSON' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { reason: 'not-json', detail: 'the JSON is not an object' }
  const hasEscapes = text.includes('\\')
  const members = countMembers(value, 1, hasEscapes)
  if (members === 'too-deep') return { reason: 'too-deep', detail: `the JSON is nested more than ${maxDepth} levels deep` }
  if (members === 'surrogate') return { reason: 'unreadable', detail: 'a string holds half of a surrogate pair' }
  const names = countNames(text, hasEscapes)
  // Of two members with one name JSON.parse keeps one.
  if (names === 'escaped' ? hasNameTwice(text) : names !== members)
    return { reason: 'ambiguous', detail: 'an object has the same name twice' }
  return { fields: value as Fields }
}

/** The members of all objects in here. Only an escape can write half of a surrogate pair into a text that is well formed. */
function countMembers(value: unknown, depth: number, hasEscapes: boolean): number | 'too-deep' | 'surrogate' {
  if (typeof value === 'string') return hasEscapes && !value.isWellFormed() ? 'surrogate' : 0
  if (typeof value !== 'object' || value === null) return 0
  if (depth > maxDepth) return 'too-deep'
  const names = Object.keys(value)
  let count = Array.isArray(value) ? 0 : names.length
  for (const name of names) {
    if (hasEscapes && !name.isWellFormed()) return 'surrogate'
    const inside = countMembers((value as Fields)[name], depth + 1, hasEscapes)
    if (typeof inside === 'string') return inside
    count += inside
  }
  return count
}

const [quote, colon, backslash] = [0x22, 0x3a, 0x5c]

/** The names in a text that is JSON: one for each colon outside of its strings; or that one of them is spelled with a backslash. */
function countNames(text: string, hasEscapes: boolean): number | 'escaped' {
  let count = 0
  let string = { begin: 0, end: 0 }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      string = { begin: at, end: endOfString(text, at) }
      at = string.end
    } else if (code === colon) {
      if (hasEscapes && text.slice(string.begin, string.end).includes('\\')) return 'escaped'
      count++
    }
  }
  return count
}

/** Where the string ends that begins here: at the next quote with an even number of backslashes before it. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before--
    if ((end - before) % 2 === 1) return end
  }
}

/** In a text that is JSON: strings, and the punctuation that says which strings are names. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g

/** Ten times slower. V8 13 and 14 take some names with a backslash for others (nodejs/node#63785), so that its members cannot be counted. */
function hasNameTwice(text: string): boolean {
  const levels: (Set<string> | 'array')[] = []
  let nameIsNext = false
  for (const [token] of text.matchAll(tokens)) {
    const names = levels.at(-1)
    if (token === '{' || token === '[') levels.push(token === '{' ? new Set() : 'array')
    if (token === '}' || token === ']') levels.pop()
    if (token.startsWith('"') && nameIsNext && names instanceof Set) {
      const name = JSON.parse(token) as string
      if (names.has(name)) return true
      names.add(name)
    }
    nameIsNext = token === '{' || (token === ',' && names !== 'array')
  }
  return false
}
