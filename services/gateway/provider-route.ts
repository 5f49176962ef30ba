import type { Provider } from '../../shared/contracts/topics.ts'

/** How a request ended; each provider has its own words for each. Counted by name. */
export type Result =
  | 'accepted'
  /** Bad signature, unknown client or account, unknown key, unusable headers: told apart in the debug log only. */
  | 'unverified'
  /** No signed text can be found in the body. */
  | 'malformed'
  /** Verified, but signed too long ago or in the future. */
  | 'stale'
  | 'too-large'
  | 'media-type'
  | 'method'
  | 'unknown-path'
  /** Too much in hand; nothing was stored. */
  | 'busy'
  /** Verified, but this client sends faster than it may. */
  | 'rate-limited'
  /** Kafka did not acknowledge in time; it may or may not have been stored. */
  | 'unavailable'
  /** The sender's address is not on the list. */
  | 'address'
  /** The sender left, or was cut off, before the body was complete. */
  | 'aborted'
  /** A mistake of ours. Never an acknowledgement. */
  | 'failed'

export type Answer = { status: number; headers: Record<string, string>; body: string }

/** A request as it arrived, before anything is believed. `path` is the request target's own characters. */
export type Received = { path: string; rawHeaders: readonly string[]; body: Buffer; receivedAt: number }

/**
 * A verified notification as Kafka gets it, but for the sealed value. `client` is who signed, by its name in the accounts file; `ageMs` is
 * there if the request says when it was sent.
 */
export type Notification = { client: string; account: string; key: string; headers: Record<string, string>; ageMs?: number }

/** `reason` is for the debug log: a code, never a value of the request. */
export type Verdict =
  | { kind: 'refused'; result: 'unverified' | 'malformed' | 'stale'; reason: string; answer: Answer }
  | { kind: 'verified'; notification: Notification; answer: (result: Result, now: number) => Answer }

/** All that differs between the providers. */
export type ProviderRoute = {
  provider: Provider
  /** How long Kafka may take: shorter than the sender's patience. */
  deadlineMs: number
  /** What to say when nothing is verified. */
  refuse: (result: Result) => Answer
  check: (received: Received) => Verdict
}
