import { type DeduplicationKey, deduplicationKey, type Fields, hasKey, type NoKey } from '../contracts/deduplication-key.ts'
import { readJsonObject, type Unreadable } from '../contracts/read-json.ts'
import type { Provider } from '../contracts/topics.ts'
import type { EventTimes, EventToken, TokenEvent } from '../contracts/types.ts'
import type { Checked } from '../contracts/validate.ts'
import type { Credentials } from '../security/open-credentials.ts'

/** Why a record becomes a dead letter: a code to count by, and a sentence that names fields but never quotes a value. */
export type Mistake = Unreadable | { reason: 'not-opened' | 'unknown-type' | 'missing-field' | 'invalid-field'; detail: string }

/** What a notification says, in the words of a token event. Ids, refs, the moment of arrival and the seal are not its business. */
export type Reading = {
  key: DeduplicationKey
  said: Omit<TokenEvent, 'eventId' | 'late' | 'provider' | 'account' | 'customerRef' | 'token' | 'times' | 'sealed'>
  token: Omit<EventToken, 'ref'>
  times: Omit<EventTimes, 'receivedAt'>
  /** The provider's id of the user; the event carries a ref in its place. */
  customer?: string
  credentials: Credentials
}

/** The notification in a JSON text, as its schema has it, with its de-duplication key. */
export function readNotification<T>(
  provider: Provider,
  json: Buffer | string,
  check: (value: unknown) => Checked<T>,
): { key: DeduplicationKey; notification: T } | Mistake {
  const read = readJsonObject(json)
  if ('reason' in read) return read
  const key = deduplicationKey(provider, read.fields)
  if (!hasKey(key)) return explain(key, read.fields)
  const checked = check(read.fields)
  if ('mistakes' in checked) return { reason: 'invalid-field', detail: checked.mistakes.join('; ') }
  return { key, notification: checked.value }
}

function explain({ reason, field }: NoKey, fields: Fields): Mistake {
  if (reason === 'unknown-type') return { reason, detail: `${field} has a value that is not documented` }
  const sent = fields[field]
  if (sent === undefined || sent === null || sent === '') return { reason, detail: `${field} is missing or empty` }
  return { reason: 'invalid-field', detail: `${field} is no text, nor an integer that keeps its digits` }
}

/** An object that has at least one member with a value, else undefined: the event leaves out what says nothing. */
export function unlessEmpty<T extends object>(object: T): T | undefined {
  return Object.values(object).some((value) => value !== undefined) ? object : undefined
}

/** What a provider's word means; undefined for a word nobody documented (own members only: `constructor` is such a word). */
export function meaning<T>(meanings: Record<string, T>, word: string | undefined): T | undefined {
  return word !== undefined && Object.hasOwn(meanings, word) ? meanings[word] : undefined
}
