/** What the checker knows of the pipeline's names, written down a second time on purpose: it imports nothing of what it checks. */

export const rawProviders = ['alipayplus', 'bluepay'] as const
export type RawProvider = (typeof rawProviders)[number]

export function topicNames(prefix: string) {
  return {
    raw: {
      alipayplus: `${prefix}notifications.alipayplus.raw.v1`,
      bluepay: `${prefix}notifications.bluepay.raw.v1`,
    },
    normalized: `${prefix}token-events.normalized.v1`,
    events: `${prefix}token-events.v1`,
    duplicates: `${prefix}token-events.duplicates.v1`,
    syncs: `${prefix}merchant-sync.v1`,
    merchants: `${prefix}merchants.v1`,
    deadLetters: {
      normalizer: `${prefix}normalizer.dlq.v1`,
      deduplicator: `${prefix}deduplicator.dlq.v1`,
      'merchant-sync': `${prefix}merchant-sync.dlq.v1`,
    },
  }
}
export type TopicNames = ReturnType<typeof topicNames>

/** Every topic that the checker reads: what another client's `--positions` must cover. */
export function checkedTopics(prefix: string): string[] {
  const { raw, deadLetters, ...others } = topicNames(prefix)
  return [...Object.values(raw), ...Object.values(others), ...Object.values(deadLetters)]
}

/** The consumer groups, and the topics that each must have read to the end. */
export function consumerGroups(prefix: string): { group: string; topics: string[] }[] {
  const { raw, normalized, events } = topicNames(prefix)
  const group = (stage: string) => `${prefix}token-notifications.${stage}`
  return [
    { group: group('normalizer'), topics: Object.values(raw) },
    { group: group('deduplicator'), topics: [normalized] },
    { group: group('merchant-sync'), topics: [events] },
  ]
}
