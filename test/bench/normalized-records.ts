/** A normalized topic as the normalizer leaves it, made without it: raw records of both providers through the code that it runs. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Provider, providers } from '../../shared/contracts/topics.ts'
import { type AppendedRecord, openAppender } from '../../shared/kafka/append.ts'
import { choosePartition } from '../../shared/kafka/choose-partition.ts'
import { normalize } from '../../shared/normalize/normalize.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { rawRecord } from '../fixtures/raw-record.ts'
import { notification } from '../operator/replay-scene.ts'
import type { TopicSet } from '../support/topic-set.ts'
import type { World } from './bench.ts'

const copyEvery = 5
/** The distinct changes among the first so many records. */
export const distinctOf = (records: number) => records - Math.floor(records / copyEvery)

/** The n-th record, normalized; every fifth is a copy of the one before it. */
export type NormalizedAt = (n: number) => AppendedRecord & { partition: number }

export function createNormalized({ topics, partitions }: TopicSet, dir: string): NormalizedAt {
  const folder = join(dir, 'keys')
  mkdirSync(folder, { recursive: true })
  const keys = loadTestKeys(folder)
  const deps = {
    opener: createRawOpener(keys.rawPrivate),
    sealer: createCredentialSealer(keys.credentials),
    identity: keys.identity,
    topics,
  }
  return (n) => {
    const original = n % copyEvery === copyEvery - 1 ? n - 1 : n
    const fixture = notification('created', providers[original % providers.length] as Provider, original)
    const raw = rawRecord(fixture, keys, { timestamp: Date.now(), offset: n })
    const partition = choosePartition(String(raw.key), partitions)
    const outcome = normalize({ ...raw, partition }, deps)
    const [record] = outcome.kind === 'emit' ? outcome.records : []
    if (!record) throw new Error(`Record ${n} was not normalized`)
    return { ...record, partition, timestamp: raw.timestamp }
  }
}

const perPiece = 10_000

/** Appends the first so many records. */
export async function appendNormalized(world: World, { kafka }: TopicSet, at: NormalizedAt, records: number): Promise<void> {
  const progress = world.progress('normalized records', records)
  const appender = await openAppender(kafka)
  try {
    for (let from = 0; from < records; from += perPiece) {
      const piece = Array.from({ length: Math.min(perPiece, records - from) }, (_, index) => at(from + index))
      // A send holds records of one partition; their order within it stays.
      await appender.append(piece.toSorted((a, b) => a.partition - b.partition))
      progress.advance(from + piece.length)
    }
  } finally {
    progress.end()
    await appender.close()
  }
}
