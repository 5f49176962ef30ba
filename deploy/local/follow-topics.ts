import { header } from '../../shared/contracts/headers.ts'
import { groupId, type Topics } from '../../shared/contracts/topics.ts'
import type { Kafka } from '../../shared/kafka/client.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import type { Trace } from './accounting.ts'

/** Counts of records, per topic of the pipeline; `lag` is what lies before a stage and is not in its output yet. */
export type Counts = {
  raw: number
  normalized: number
  events: number
  duplicates: number
  deadLetters: number
  syncs: number
  states: number
  lag: { normalizer: number; deduplicator: number; merchantSync: number; tokenStates: number }
}

/** A record of the public topic as the live view shows it: its headers only. */
export type LastEvent = { at: number; type: string; source: string; eventId: string; tokenRef: string | undefined }

export type Following = {
  caughtUp: Promise<void>
  counts: () => Counts
  /** The newest first. */
  lastEvents: () => LastEvent[]
  stop: () => Promise<void>
}

type Options = { kafka: Kafka; topics: Topics; prefix: string; onDeath: (error: Error) => void }

const keptEvents = 20
const lagPollMs = 500

/** In the order in which a notification meets them. */
const followedTopics = (topics: Topics): string[] => [
  ...Object.values(topics.raw),
  ...[topics.normalized, topics.events, topics.duplicates, topics.syncs, topics.states],
  ...Object.values(topics.deadLetters),
]

/** Follows every topic of the pipeline, for a live view. */
export async function followTopics(options: Options & { from: 'beginning' | 'end' }): Promise<Following> {
  const { kafka, topics, prefix, from, onDeath } = options
  const perTopic = new Map<string, number>()
  const nextOffsets = new Map<number, number>()
  let last: LastEvent[] = []

  function see(record: SourceRecord): void {
    perTopic.set(record.topic, (perTopic.get(record.topic) ?? 0) + 1)
    if (record.topic !== topics.events) return
    nextOffsets.set(record.partition, record.offset + 1)
    last = [toLastEvent(record), ...last].slice(0, keptEvents)
  }
  const reader = await readTopics({
    kafka,
    topics: followedTopics(topics),
    from,
    groupPrefix: `${prefix}live-view.`,
    onRecord: see,
    onDeath,
  })

  // An event that concerns no merchant leaves no sync, and one that changes no token no state: only the committed offsets tell how far these
  // two stages have come.
  const admin = kafka.admin()
  await admin.connect()
  const waiting = { 'merchant-sync': 0, 'token-states': 0 }
  const pollStage = async (stage: keyof typeof waiting) => {
    const [committed] = await admin.fetchOffsets({ groupId: groupId(stage, prefix), topics: [topics.events] })
    const done = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    waiting[stage] = [...nextOffsets].reduce(
      (sum, [partition, next]) => sum + Math.max(0, next - Math.max(0, done.get(partition) ?? 0)),
      0,
    )
  }
  const poll = () => Promise.all([pollStage('merchant-sync'), pollStage('token-states')])
  const polling = setInterval(() => poll().catch(() => {}), lagPollMs)

  const of = (...names: string[]) => names.reduce((sum, name) => sum + (perTopic.get(name) ?? 0), 0)
  return {
    caughtUp: reader.caughtUp,
    lastEvents: () => last,
    counts() {
      const { normalizer, deduplicator } = topics.deadLetters
      const [raw, normalized, events, duplicates] = [
        of(...Object.values(topics.raw)),
        of(topics.normalized),
        of(topics.events),
        of(topics.duplicates),
      ]
      const lag = {
        normalizer: Math.max(0, raw - normalized - of(normalizer)),
        deduplicator: Math.max(0, normalized - events - duplicates - of(deduplicator)),
        merchantSync: waiting['merchant-sync'],
        tokenStates: waiting['token-states'],
      }
      return {
        raw,
        normalized,
        events,
        duplicates,
        deadLetters: of(...Object.values(topics.deadLetters)),
        syncs: of(topics.syncs),
        states: of(topics.states),
        lag,
      }
    },
    async stop() {
      clearInterval(polling)
      await reader.stop()
      await admin.disconnect()
    },
  }
}

function toLastEvent({ headers, timestamp }: SourceRecord): LastEvent {
  return {
    at: timestamp,
    type: headers[header.type] ?? '',
    source: headers[header.source] ?? '',
    eventId: headers[header.id] ?? '',
    tokenRef: headers[header.subject],
  }
}

/** What the public topic and the sync topic hold as of now: headers are enough. */
export async function readTraces({ kafka, topics, prefix, onDeath }: Options): Promise<Trace[]> {
  const traces: Trace[] = []
  const reader = await readTopics({
    kafka,
    topics: [topics.events, topics.syncs],
    groupPrefix: `${prefix}accounting.`,
    onDeath,
    onRecord({ topic, headers, timestamp }) {
      const id = headers[header.id] ?? '(no id)'
      traces.push(topic === topics.events ? { kind: 'event', eventId: id, at: timestamp } : { kind: 'sync', syncId: id })
    },
  })
  await reader.caughtUp.finally(() => reader.stop())
  return traces
}
