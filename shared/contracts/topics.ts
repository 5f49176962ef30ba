/**
 * The whole pipeline on one screen: every topic, in the order a notification meets them.
 *
 *   gateway → raw → normalizer → normalized → deduplicator (Redis) → events → merchant-sync → syncs
 *                                                                                     events → token-states → states
 *
 * Topics are code: `operator topics apply` makes them, auto-creation is off, a live topic's partition count is never raised.
 */
export const providers = ['alipayplus', 'bluepay'] as const
export type Provider = (typeof providers)[number]

/** The services that run a stage (`shared/stage`); each has a dead letter topic and a consumer group. */
export const stageNames = ['normalizer', 'deduplicator', 'merchant-sync', 'token-states'] as const
export type StageName = (typeof stageNames)[number]

/** Topic names. A prefix (empty in production) keeps several pipelines apart on one cluster. */
export function topicNames(prefix = '') {
  return {
    /** What a provider sent, sealed, untouched. Key: partition key. Only verified notifications are here. */
    raw: {
      alipayplus: `${prefix}notifications.alipayplus.raw.v1`,
      bluepay: `${prefix}notifications.bluepay.raw.v1`,
    },
    /** One TokenEvent per raw record that could be understood, copies included. */
    normalized: `${prefix}token-events.normalized.v1`,
    /** THE PUBLIC TOPIC: one TokenEvent per real change, CloudEvents 1.0 binary mode. */
    events: `${prefix}token-events.v1`,
    /** Which position was a duplicate of which, and whether its content differed. */
    duplicates: `${prefix}token-events.duplicates.v1`,
    /** Latest state of each token. Key: token ref. Compacted. */
    states: `${prefix}token-states.v1`,
    /** The merchant registry: its whole history, one partition. Key: merchant id; a null value removes. */
    merchants: `${prefix}merchants.v1`,
    /** One event for one subscription of one merchant. Key: merchant id and token ref. */
    syncs: `${prefix}merchant-sync.v1`,
    /** What a stage gave up on: original key, value and headers, plus `dlq-*` headers. */
    deadLetters: {
      normalizer: `${prefix}normalizer.dlq.v1`,
      deduplicator: `${prefix}deduplicator.dlq.v1`,
      'merchant-sync': `${prefix}merchant-sync.dlq.v1`,
      'token-states': `${prefix}token-states.dlq.v1`,
    },
    /** Who did what, when: every operator command that changed something. Key: command. */
    audit: `${prefix}operator-audit.v1`,
  }
}
export type Topics = ReturnType<typeof topicNames>

/** `<domain>.<service>`, as downstream teams expect of a consumer group. */
export const groupId = (stage: StageName, prefix = '') => `${prefix}token-notifications.${stage}`

/** What `operator topics apply` makes without options. */
export const defaultCounts = { partitions: 12, replication: 3 }

export type TopicSettings = { topic: string; partitions: number; config: Record<string, string> }

const days = (n: number) => String(n * 24 * 60 * 60 * 1000)
const forEver = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' }
const kept = (n: number) => ({ 'cleanup.policy': 'delete', 'retention.ms': days(n) })

/** The broker stamps the raw record; from there on every record carries that stamp, so no later broker may judge its age. */
const stampedByBroker = { 'message.timestamp.type': 'LogAppendTime' }
const stampCarried = {
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
}

/**
 * What `operator topics apply` makes. `partitions` is the count of raw, normalized, public and all topics beside them: the
 * partition *number* is carried from raw to public, so that all copies of one change meet on one partition.
 */
export function topicSettings(topics: Topics, partitions: number): TopicSettings[] {
  const flow = (topic: string, config: Record<string, string>) => ({ topic, partitions, config })
  return [
    flow(topics.raw.alipayplus, { ...kept(30), ...stampedByBroker }),
    flow(topics.raw.bluepay, { ...kept(30), ...stampedByBroker }),
    flow(topics.normalized, { ...kept(30), ...stampCarried }),
    flow(topics.events, { ...kept(30), ...stampCarried }),
    flow(topics.duplicates, { ...kept(30), ...stampCarried }),
    flow(topics.states, { 'cleanup.policy': 'compact', ...stampCarried }),
    { topic: topics.merchants, partitions: 1, config: { ...forEver, ...stampedByBroker } },
    flow(topics.syncs, { ...kept(14), ...stampCarried }),
    ...stageNames.map((stage) => flow(topics.deadLetters[stage], { ...kept(30), ...stampCarried })),
    { topic: topics.audit, partitions: 1, config: { ...forEver, ...stampedByBroker } },
  ]
}

/** Where a record lies in the log. Written `topic/partition/offset`; the position of the raw record is the *origin*. */
export type Position = { topic: string; partition: number; offset: string }

export const formatPosition = (p: Position) => `${p.topic}/${p.partition}/${p.offset}`

/** The position in a text, or undefined if it is none. */
export function parsePosition(text: string): Position | undefined {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,9})\/(\d{1,15})$/.exec(text) ?? []
  return topic && partition && offset ? { topic, partition: Number(partition), offset } : undefined
}
