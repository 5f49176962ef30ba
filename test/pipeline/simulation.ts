/** A simulation of both providers against a pipeline under test, and the accounts of what became of it. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keyFiles } from '../../deploy/local/pipeline.ts'
import { mainOf, nodeBinary } from '../../deploy/local/run-operator.ts'
import { header } from '../../shared/contracts/headers.ts'
import type { MerchantSync } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { readAll } from '../support/read-topic.ts'
import type { ServiceUnderTest } from '../support/service.ts'
import { waitFor } from '../support/wait-for.ts'
import { type PipelineUnderTest, temporaryFolder } from './pipeline.ts'

const operator = (...args: string[]) => promisify(execFile)(nodeBinary, [mainOf('operator'), ...args])

/** Keys, accounts and provider keys as `npm start` makes them. */
export async function developmentKeys() {
  const keys = join(temporaryFolder(), 'keys')
  await operator('keys', 'make', '--development', '--out', keys)
  return { keys, env: keyFiles(keys) }
}

type Plan = { changes: { outcome: 'event' | 'dead-letter'; eventId?: string; acknowledged: number }[] }

/** Resolves to the ids of all changes that must have exactly one event. */
export async function simulate(
  gatewayUrl: string,
  keys: string,
  options: { seed: number; count: number; rate: number },
): Promise<string[]> {
  const planFile = join(keys, 'plan.json')
  const { seed, count, rate } = options
  const numbers = ['--seed', String(seed), '--count', String(count), '--rate', String(rate), '--duplicates', '0.3']
  await operator('simulate', '--target', gatewayUrl, '--keys', keys, ...numbers, '--plan-file', planFile, '--json')
  const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan
  const acknowledged = plan.changes.filter((change) => change.acknowledged > 0)
  return acknowledged.flatMap(({ outcome, eventId }) => (outcome === 'event' && eventId ? [eventId] : []))
}

export type Accounts = { raw: number; eventIds: string[]; duplicates: SourceRecord[]; origins: string[] }

/** Waits until as many outcomes as raw records are there, and reads them all. */
export function accountsOf({ set: { topics } }: PipelineUnderTest): Promise<Accounts> {
  return waitFor(
    'everything to be accounted for',
    async () => {
      const raw = await readAll(topics.raw.alipayplus, topics.raw.bluepay)
      const events = await readAll(topics.events)
      const duplicates = await readAll(topics.duplicates)
      const dead = await readAll(topics.deadLetters.normalizer, topics.deadLetters.deduplicator)
      const outcomes = [...events, ...duplicates, ...dead]
      const eventIds = events.map(({ headers }) => headers[header.id] as string)
      const origins = outcomes.map(({ headers }) => headers[header.origin] as string)
      return outcomes.length >= raw.length && { raw: raw.length, eventIds, duplicates, origins }
    },
    { timeoutMs: 90_000 },
  )
}

/** The merchant with the most syncs, and those: one taken at random may have had too few to show anything. */
export function busiestMerchant(all: SourceRecord[]): { merchantId: string; syncs: SourceRecord[] } {
  const byMerchant = Map.groupBy(all, ({ value }) => (JSON.parse(String(value)) as MerchantSync).merchantId)
  const [[merchantId, syncs] = ['', []]] = [...byMerchant].sort(([, a], [, b]) => b.length - a.length)
  return { merchantId, syncs }
}

/** Records in all committed transactions of this process. */
export const processed = (service: ServiceUnderTest): number =>
  service
    .lines()
    .filter(({ event }) => event === 'batch-processed')
    .reduce((sum, { records }) => sum + Number(records), 0)
