/**
 * A small run in real topics: every fixture as a change, some sent twice. The pipeline's own pure functions decide and its transactions
 * write, so that the checker meets what the services really leave behind; aborted transactions lie between.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fanOut } from '../../../services/merchant-sync/fan-out.ts'
import { header } from '../../../shared/contracts/headers.ts'
import { createRegistry } from '../../../shared/contracts/registry.ts'
import { groupId, providers } from '../../../shared/contracts/topics.ts'
import { decide, type Verdict } from '../../../shared/deduplicate/decide.ts'
import { appendRecords } from '../../../shared/kafka/append.ts'
import { choosePartition } from '../../../shared/kafka/choose-partition.ts'
import { explicitPartitioner } from '../../../shared/kafka/client.ts'
import { normalize } from '../../../shared/normalize/normalize.ts'
import { createCredentialSealer } from '../../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../../shared/security/seal-raw.ts'
import type { SourceRecord } from '../../../shared/stage/outcome.ts'
import { type PlacedRecord, processBatch } from '../../../shared/stage/process-batch.ts'
import type { Stage } from '../../../shared/stage/stage.ts'
import { openTransactions } from '../../../shared/stage/transaction.ts'
import { loadTestKeys, type TestKeys } from '../../fixtures/keys.ts'
import { fixtures } from '../../fixtures/load.ts'
import { rawRecord } from '../../fixtures/raw-record.ts'
import { readAll, readSettled } from '../../support/read-topic.ts'
import type { TopicSet } from '../../support/topic-set.ts'
import type { Attempt } from './run.ts'

const failedAt = '2026-11-22T05:00:00.000Z'

/** Writes keys and history into the folder and everything else into the topics; returns the history's path. */
export async function writeSmallRun(set: TopicSet, folder: string): Promise<string> {
  const keys = loadTestKeys(folder)
  const { topics, partitions } = set
  const registry = await writeRegistry(set)
  const attempts = await writeRaw(set, keys)
  const history = join(folder, 'client.jsonl')
  writeFileSync(history, attempts.map((attempt) => `${JSON.stringify(attempt)}\n`).join(''))

  const opener = createRawOpener(keys.rawPrivate)
  const deps = { opener, sealer: createCredentialSealer(keys.credentials), identity: keys.identity, topics }
  await runOnce(set, {
    name: 'normalizer',
    sources: Object.values(topics.raw),
    outputs: [topics.normalized],
    deadLetters: topics.deadLetters.normalizer,
    step: { decide: async ({ records }) => records.map((record) => normalize(record, deps)) },
  })
  const judge = createJudge()
  await runOnce(set, {
    name: 'deduplicator',
    sources: [topics.normalized],
    outputs: [topics.events, topics.duplicates],
    deadLetters: topics.deadLetters.deduplicator,
    step: { decide: async ({ records }) => records.map((record) => decide(record, judge(record), topics)) },
  })
  const fan = { topics, registry, partitionOf: (key: string) => choosePartition(key, partitions) }
  await runOnce(set, {
    name: 'merchant-sync',
    sources: [topics.events],
    outputs: [topics.syncs],
    deadLetters: topics.deadLetters['merchant-sync'],
    step: { decide: async ({ records }) => records.map((record) => fanOut(record, fan)) },
  })

  return history
}

/** Reads all sources, aborts a first transaction with all outputs, and commits them in a second one. */
async function runOnce(set: TopicSet, stage: Stage): Promise<void> {
  const group = groupId(stage.name, set.prefix)
  const byPartition = Map.groupBy(await readSettled(...stage.sources), ({ topic, partition }) => `${topic}/${partition}`)
  const outputs: PlacedRecord[] = []
  const offsets = []
  for (const records of byPartition.values()) {
    const { topic, partition, offset: begin } = records[0] as SourceRecord
    const end = (records.at(-1) as SourceRecord).offset + 1
    outputs.push(...(await processBatch(stage, { topic, partition, records, begin, end }, failedAt)).outputs)
    offsets.push({ topic, partition, offset: end })
  }
  await abort(set, outputs)
  const transactions = await openTransactions(set.kafka, group, `${group}.slots-1.0`)
  await transactions.commit(outputs, offsets)
  await transactions.close()
}

async function writeRegistry({ kafka, topics }: TopicSet) {
  const merchantIds = new Set(
    fixtures.flatMap(({ expected }) => ('event' in expected ? [expected.event.merchantId ?? 'nobody'] : [])),
  )
  const subscriptions = [
    { id: 'all', enabled: true },
    { id: 'created', enabled: true, types: ['token.created'] },
  ]
  const entries = [...merchantIds].map((merchantId) => ({ merchantId, subscriptions }))
  await appendRecords(
    kafka,
    entries.map((entry) => ({ topic: topics.merchants, key: entry.merchantId, value: JSON.stringify(entry) })),
  )
  const registry = createRegistry()
  for (const record of await readAll(topics.merchants)) registry.apply(record)
  return registry
}

/** Every third fixture twice, sealed anew, and after them one attempt that never arrived. */
async function writeRaw({ kafka, topics, partitions }: TopicSet, keys: TestKeys): Promise<Attempt[]> {
  const opener = createRawOpener(keys.rawPrivate)
  const attempts: Attempt[] = []
  const sent = fixtures.flatMap((fixture, change) => {
    const odd = 'deadLetter' in fixture.expected
    return Array.from({ length: change % 3 === 0 ? 2 : 1 }, (_, copy) => {
      const { key, value, headers } = rawRecord(fixture, keys)
      const body = opener.open(fixture.provider, headers[header.account] as string, value as Buffer) as Buffer
      const sha256 = createHash('sha256').update(body).digest('hex')
      const outcome = copy === 1 ? 'unanswered' : 'acknowledged'
      attempts.push({ n: attempts.length + 1, change, copy: copy === 1 ? 'identical' : 'first', odd, sha256, outcome })
      const partition = choosePartition(String(key), partitions)
      return { provider: fixture.provider, message: { key, value, headers, partition } }
    })
  })
  const refused = { ...(attempts[0] as Attempt), n: attempts.length + 1, change: fixtures.length, sha256: 'a'.repeat(64) }
  attempts.push({ ...refused, outcome: 'call-again' })
  const producer = kafka.producer()
  await producer.connect()
  for (const provider of providers) {
    const messages = sent.filter((record) => record.provider === provider).map(({ message }) => message)
    await producer.send({ topic: topics.raw[provider], acks: -1, messages })
  }
  await producer.disconnect()
  return attempts
}

/** The rule of de-duplication for a run shorter than the window, without Redis. */
function createJudge() {
  const holders = new Map<string, SourceRecord>()
  return (record: SourceRecord): Verdict => {
    const { [header.id]: eventId = '', [header.cancelId]: cancelId = '', [header.contentHash]: contentHash } = record.headers
    const late = holders.has(cancelId)
    const holder = holders.get(eventId)
    if (holder) {
      const kind = holder.headers[header.contentHash] === contentHash ? 'duplicate' : 'conflict'
      return { kind, late, holder: holder.offset }
    }
    holders.set(eventId, record)
    return { kind: 'new', late, holder: record.offset }
  }
}

/** Writes records in a transaction that is aborted. */
async function abort(set: TopicSet, records: PlacedRecord[]): Promise<void> {
  const { transaction, close } = await openWith(set, records)
  await transaction.abort()
  await close()
}

/** A transaction with these records in it, still open. */
export async function openWith({ kafka, prefix }: TopicSet, records: PlacedRecord[]) {
  const transactionalId = `${prefix}aborted`
  const producer = kafka.producer({ transactionalId, maxInFlightRequests: 1, createPartitioner: explicitPartitioner })
  await producer.connect()
  const transaction = await producer.transaction()
  const topicMessages = [...Map.groupBy(records, ({ topic }) => topic)].map(([topic, messages]) => ({ topic, messages }))
  await transaction.sendBatch({ acks: -1, topicMessages })
  return { transaction, close: () => producer.disconnect() }
}
