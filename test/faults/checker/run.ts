/** What a run left behind, as the checks want it: small records, no bodies. Lists are in offset order within each partition. */

export type Place = { topic: string; partition: number; offset: number }

/** `topic/partition/offset`, as origins and holders are written. */
export const at = ({ topic, partition, offset }: Place): string => `${topic}/${partition}/${offset}`

/** One HTTP attempt, a line of `client.jsonl`: what was sent, and what the sender was told. */
export type Attempt = {
  n: number
  /** All attempts with this number are of one real change. */
  change: number
  copy: 'first' | 'identical' | 're-signed' | 'concurrent' | 'conflict'
  /** It verifies and cannot be understood: each copy must end as a dead letter. */
  odd: boolean
  /** Hex, of the exact body bytes. */
  sha256: string
  outcome: 'acknowledged' | 'call-again' | 'refused' | 'unanswered'
}

/** `sha256`: of the opened body; absent when the record does not open for the provider and account it names. */
export type RawRecord = Place & { timestamp: number; sha256?: string }
/** `content`: a fingerprint of the event without its `late`. */
export type NormalizedRecord = Place & { origin: string; eventId: string; content: string }
export type EventRecord = NormalizedRecord & {
  late: boolean
  type: string
  provider: string
  merchantId?: string
  authClientId?: string
  tokenRef?: string
  pspId?: string
  channelCode?: string
}
/** `saidOrigin`: the one in the value, beside the one in the header. */
export type DuplicateRecord = Place & {
  origin: string
  saidOrigin: string
  eventId: string
  position: string
  holder: string
  conflict: boolean
}
export type DeadLetter = Place & { origin: string; stage: 'normalizer' | 'deduplicator' }
export type SyncRecord = Place & {
  origin: string
  syncId: string
  eventId: string
  registryOffset: number
  late: boolean
  content: string
  /** Written again by an operator. */
  replayed: boolean
}
export type RegistryRecord = Place & { timestamp: number; key: string | null; value: string | null }

/** One partition as one reader saw it: the offsets of its records, ascending, and the offset at which it said that the end was reached. */
export type View = { offsets: number[]; end: number }
/** By `topic/partition`. */
export type Views = Map<string, View>

export type Run = {
  attempts: Attempt[]
  raw: RawRecord[]
  normalized: NormalizedRecord[]
  events: EventRecord[]
  duplicates: DuplicateRecord[]
  deadLetters: DeadLetter[]
  syncs: SyncRecord[]
  /** Dead letters of merchant-sync: events whose syncs were given up. */
  lostSyncs: (Place & { origin: string })[]
  registry: RegistryRecord[]
  /** Records whose value is not what their topic promises, or whose headers say otherwise. */
  unreadable: Place[]
  /** What read_committed showed, and what the log holds with aborted records and open transactions. */
  committed: Views
  uncommitted: Views
  /** Offsets that another client's read_committed showed, by `topic/partition`. */
  otherClient?: Map<string, number[]>
  /** Records beyond the committed offset of a group that must have read them. */
  notConsumed: (Place & { group: string })[]
}
