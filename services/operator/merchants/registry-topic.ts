import { createRegistry, type Registry } from '../../../shared/contracts/registry.ts'
import type { Merchant } from '../../../shared/contracts/types.ts'
import { appendRecords } from '../../../shared/kafka/append.ts'
import { readTopics } from '../../../shared/kafka/reader.ts'
import type { SourceRecord } from '../../../shared/kafka/record.ts'
import { hasTopic } from '../../../shared/kafka/topics.ts'
import type { KafkaSession } from '../kafka-session.ts'

/** The registry as merchant-sync has it. `unreadable`: merchants whose latest record is no valid entry, so that an older one is in force, or none. */
export type RegistryRead = { registry: Registry; unreadable: string[] }
type OnRecord = (record: SourceRecord, mistakes: string[], registry: Registry) => void

/** Reads the registry's topic to its end, or through the version given: an offset, as a sync records it. */
export async function readRegistry(
  { kafka, topics, topicPrefix }: KafkaSession,
  { through = Number.POSITIVE_INFINITY, onRecord = () => {} }: { through?: number | undefined; onRecord?: OnRecord } = {},
): Promise<RegistryRead> {
  if (!(await hasTopic(kafka, topics.merchants)))
    throw new Error(`Topic ${topics.merchants} is missing. Make it with: operator topics apply`)
  const registry = createRegistry()
  const unreadable = new Set<string>()
  const reader = await readTopics({
    kafka,
    topics: [topics.merchants],
    groupPrefix: `${topicPrefix}operator.`,
    onRecord(record) {
      if (record.offset > through) return
      const mistakes = registry.apply(record)
      if (mistakes.length > 0) unreadable.add(String(record.key))
      else unreadable.delete(String(record.key))
      onRecord(record, mistakes, registry)
    },
  })
  await reader.caughtUp.finally(() => reader.stop())
  return { registry, unreadable: [...unreadable] }
}

/** Writes entries in the order given. Each is whole or not there; after a failure the same can be written again. */
export async function writeEntries(
  { kafka, topics }: KafkaSession,
  entries: Merchant[],
  onWritten?: (count: number) => void,
): Promise<void> {
  const records = entries.map((entry) => ({ topic: topics.merchants, key: entry.merchantId, value: JSON.stringify(entry) }))
  if (records.length > 0) await appendRecords(kafka, records, onWritten)
}

/** A null value removes; its record stays in the history, which proves for every sync by which entry it was decided. */
export async function removeEntries({ kafka, topics }: KafkaSession, merchantIds: string[]): Promise<void> {
  await appendRecords(
    kafka,
    merchantIds.map((merchantId) => ({ topic: topics.merchants, key: merchantId, value: null })),
  )
}
