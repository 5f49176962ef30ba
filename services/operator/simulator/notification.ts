import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import type { Provider } from '../../../shared/contracts/topics.ts'
import type { AlipayplusSender, BluepaySender, Senders } from './senders.ts'

/** The six kinds of `providers.md` §2.4 and §3.1, by the provider's own names. */
export const kinds = {
  alipayplus: ['AUTHCODE_CREATED', 'TOKEN_CREATED', 'TOKEN_CANCELED'],
  bluepay: ['token.create.success', 'token.create.failed', 'token.cancel.success'],
} as const satisfies Record<Provider, readonly string[]>
/** What verifies and cannot be understood: it ends as a dead letter. */
export const oddKinds = ['unknown-type', 'missing-field', 'unreadable'] as const
export type Kind = (typeof kinds)[Provider][number] | (typeof oddKinds)[number]

/** An Alipay+ client with the keys that are in force; several while a rotation is under way. */
export type AlipayplusClient = { clientId: string; keys: AlipayplusSender[]; merchants: AlipayplusSender['merchants'] }
/** Who can send: what the generator chooses from. */
export type Cast = { alipayplus: AlipayplusClient[]; bluepay: BluepaySender[] }

export function castOf({ alipayplus, bluepay }: Senders): Cast {
  const byClient = Map.groupBy(
    alipayplus.filter(({ state }) => state === 'active'),
    ({ clientId }) => clientId,
  )
  const clients = [...byClient].map(([clientId, keys]) => ({ clientId, keys, merchants: keys[0]?.merchants ?? [] }))
  return { alipayplus: clients, bluepay }
}

type Sent<P extends Provider, S> = { provider: P; sender: S }
/**
 * One thing that happened at a provider, and what it says about it: its fields, or a text that is no JSON. All copies of it make
 * one event (`kind` of the six), or each ends as a dead letter.
 */
export type Change = (Sent<'alipayplus', AlipayplusClient> | Sent<'bluepay', BluepaySender>) & {
  number: number
  /** Changes of one token, sent in order: the next one waits until the one before it was answered. */
  story: number
  kind: Kind
  content: Fields | string
  /** A creation whose cancellation was sent before it. */
  late: boolean
}

export const isOdd = ({ kind }: Change): boolean => (oddKinds as readonly string[]).includes(kind)

/** How the same content can be written and signed (`providers.md` §2.2, §2.3): all of it must be accepted. */
export type Style = {
  order: 'documented' | 'sorted' | 'reversed'
  blanks: 'compact' | 'pretty'
  absent: 'left-out' | 'null' | 'empty'
  separator: ', ' | ','
  signature: 'percent-encoded' | 'base64' | 'base64url'
  time: 'offset' | 'utc' | 'fraction' | 'epoch'
  headers: 'documented' | 'lower-case'
  contentType: 'application/json; charset=UTF-8' | 'application/json'
  /** Which of the client's keys, modulo their number. */
  key: number
}

/**
 * `identical`: the same signed bytes again. `re-signed`: the same content, signed anew, perhaps in other spelling. `concurrent`: sent together with the
 * first. `conflict`: the same change with other content, which must not happen and does.
 */
export type Copy = 'first' | 'identical' | 're-signed' | 'concurrent' | 'conflict'

/** One notification to send. Its number is its place in the plan; a retry after a bad answer is the same delivery. */
export type Delivery = { number: number; change: Change; copy: Copy; content: Fields | string; style: Style }
