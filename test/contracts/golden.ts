/**
 * Golden samples: what each version wrote, to the byte. A sample is a fixture's way through the pipeline: its normalized record, then what the
 * deduplicator makes of that under the given verdict, then the syncs of `merchants.json` and the token's state. Never edit one. To add one, write a file with
 * `fixture` and `verdict` only; `npm run generate` adds the records. What writes other bytes than before is a new version: `v1.1/` beside
 * `v1/`, with the samples that changed and the schemas as they then are.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fanOut } from '../../services/merchant-sync/fan-out.ts'
import { createEndings } from '../../services/token-states/endings.ts'
import { keepState } from '../../services/token-states/keep-states.ts'
import { createRegistry } from '../../shared/contracts/registry.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { Merchant } from '../../shared/contracts/types.ts'
import { decide, type Verdict } from '../../shared/deduplicate/decide.ts'
import { normalize } from '../../shared/normalize/normalize.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import type { Outcome, SourceRecord } from '../../shared/stage/outcome.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'
import type { Schema } from './generate-types.ts'

export type GoldenRecord = { topic: string; key: string; headers: Record<string, string>; value: string }
export type GoldenSample = { name: string; fixture: string; verdict: Verdict; records: GoldenRecord[] }
export type GoldenVersion = { version: string; samples: GoldenSample[]; merchants: Merchant[]; schemas: Map<string, Schema> }

const folder = join(import.meta.dirname, 'golden')
const topics = topicNames()
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(folder, ...path), 'utf8'))

/** Every version, the first one first. */
export function goldenVersions(): GoldenVersion[] {
  return readdirSync(folder)
    .sort()
    .map((version) => {
      const files = readdirSync(join(folder, version)).sort()
      const schemas = files.filter((file) => file.endsWith('.schema.json'))
      const samples = files.filter((file) => !schemas.includes(file) && file !== 'merchants.json')
      return {
        version,
        samples: samples.map((file) => ({
          name: file.replace('.json', ''),
          ...(read(version, file) as Omit<GoldenSample, 'name'>),
        })),
        merchants: existsSync(join(folder, version, 'merchants.json')) ? (read(version, 'merchants.json') as Merchant[]) : [],
        schemas: new Map(schemas.map((file) => [file, read(version, file) as Schema])),
      }
    })
}

/** The records that the code of today writes for a sample. */
export function writeGolden(
  { fixture: name, verdict }: Pick<GoldenSample, 'fixture' | 'verdict'>,
  merchants: Merchant[],
): GoldenRecord[] {
  const fixture = fixtures.find((entry) => entry.name === name)
  if (fixture === undefined) throw new Error(`There is no fixture ${name}`)
  const registry = createRegistry()
  merchants.forEach((entry, offset) => {
    const mistakes = registry.apply({ offset, key: Buffer.from(entry.merchantId), value: Buffer.from(JSON.stringify(entry)) })
    if (mistakes.length > 0) throw new Error(`merchants.json/${offset}: ${mistakes.join('; ')}`)
  })
  const normalized = emitted(normalize(rawRecord(fixture, keys), deps))
  const decided = normalized.flatMap((record) => emitted(decide(asSource(record), verdict, topics)))
  const syncs = decided
    .filter(({ topic }) => topic === topics.events)
    .flatMap((record) => emitted(fanOut(asSource(record), { topics, registry, partitionOf: () => 0 })))
  const states = decided
    .filter(({ topic }) => topic === topics.events)
    .flatMap((record) => emitted(keepState(asSource(record), createEndings(), topics)))
  return [...normalized, ...decided, ...syncs, ...states]
}

/** Completes the samples that have no records yet; touches no other. */
export function addGoldenRecords(): void {
  for (const { version, samples, merchants } of goldenVersions()) {
    for (const { name, ...sample } of samples.filter(({ records }) => records === undefined)) {
      const complete = { ...sample, records: writeGolden(sample, merchants) }
      writeFileSync(join(folder, version, `${name}.json`), `${JSON.stringify(complete, null, 2)}\n`)
    }
  }
}

const keyFolder = mkdtempSync(join(tmpdir(), 'golden-'))
const keys = loadTestKeys(keyFolder)
rmSync(keyFolder, { recursive: true })
const deps = {
  opener: createRawOpener(keys.rawPrivate),
  sealer: createCredentialSealer(keys.credentials),
  identity: keys.identity,
  topics,
}

function emitted(outcome: Outcome): GoldenRecord[] {
  if (outcome.kind === 'dead-letter') throw new Error(`A sample became a dead letter: ${outcome.detail}`)
  if (outcome.kind === 'drop') return []
  return outcome.records.map(({ topic, key, headers, value }) => ({ topic, key, headers, value: String(value) }))
}

const asSource = ({ topic, key, headers, value }: GoldenRecord): SourceRecord => ({
  topic,
  partition: 3,
  offset: 2210,
  timestamp: 0,
  key: Buffer.from(key),
  headers,
  value: Buffer.from(value),
})
