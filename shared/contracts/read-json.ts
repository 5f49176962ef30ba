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
  return findAmbiguity(text) ?? { fields: value as Fields }
}

/** In a text that is JSON: strings, and the punctuation that says which strings are names. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g

function findAmbiguity(text: string): Unreadable | undefined {
  const levels: (Set<string> | 'array')[] = []
  let nameIsNext = false
  for (const [token] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') {
      levels.push(token === '{' ? new Set() : 'array')
      if (levels.length > maxDepth) return { reason: 'too-deep', detail: `the JSON is nested more than ${maxDepth} levels deep` }
      nameIsNext = token === '{'
    } else if (token === '}' || token === ']') {
      levels.pop()
      nameIsNext = false
    } else if (token === ',') {
      nameIsNext = levels.at(-1) !== 'array'
    } else {
      // Without an escape it is what it says, and as well formed as the text.
      const string = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1)
      if (!string.isWellFormed()) return { reason: 'unreadable', detail: 'a string holds half of a surrogate pair' }
      const names = levels.at(-1)
      if (!nameIsNext || names === undefined || names === 'array') continue
      if (names.has(string)) return { reason: 'ambiguous', detail: 'an object has the same name twice' }
      names.add(string)
      nameIsNext = false
    }
  }
  return undefined
}
