import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Merchant } from '../../shared/contracts/types.ts'
import { checkMerchant } from '../../shared/contracts/validate.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { hasTopic } from '../../shared/kafka/topics.ts'
import { describeError } from '../../shared/runtime/log.ts'
import type { KafkaSession } from './kafka-session.ts'

/** The registry as its topic has it now. `unreadable`: ids whose latest record is no valid entry; this command writes none. */
export type Registry = { merchants: Map<string, Merchant>; unreadable: string[] }

export async function readRegistry({ kafka, topics, topicPrefix }: KafkaSession): Promise<Registry> {
  const latest = new Map<string, Merchant | undefined>()
  const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }) => {
    const merchantId = key?.toString('utf8') ?? ''
    latest.delete(merchantId)
    if (value !== null) latest.set(merchantId, parseEntry(value.toString('utf8')))
  }
  if (!(await hasTopic(kafka, topics.merchants)))
    throw new Error(`Topic ${topics.merchants} is missing. Make it with: operator topics apply`)
  const reader = await readTopics({ kafka, topics: [topics.merchants], onRecord, groupPrefix: `${topicPrefix}operator.` })
  await reader.caughtUp.finally(() => reader.stop())
  const entries = [...latest].filter((entry): entry is [string, Merchant] => entry[1] !== undefined)
  const unreadable = [...latest].filter(([, merchant]) => merchant === undefined).map(([id]) => id)
  return { merchants: new Map(entries), unreadable }
}

function parseEntry(text: string): Merchant | undefined {
  try {
    const checked = checkMerchant(JSON.parse(text))
    return 'value' in checked ? checked.value : undefined
  } catch {
    return undefined
  }
}

/** Reads entries from files (`-`: standard input), each one entry or a list. Throws one error that names every mistake in all of them. */
export async function readEntries(files: string[], input: () => Promise<string>): Promise<Merchant[]> {
  const mistakes: string[] = []
  const entries: Merchant[] = []
  for (const file of files) {
    const name = file === '-' ? 'standard input' : file
    try {
      const parsed: unknown = JSON.parse(file === '-' ? await input() : await readFile(file, 'utf8'))
      const list: [string, unknown][] = Array.isArray(parsed)
        ? parsed.map((entry, index) => [`${name}/${index}`, entry])
        : [[name, parsed]]
      for (const [where, entry] of list) {
        const checked = checkMerchant(entry)
        if ('value' in checked) entries.push(checked.value)
        else mistakes.push(...checked.mistakes.map((mistake) => `${where}: ${mistake}`))
      }
    } catch (error) {
      mistakes.push(`${name}: ${error instanceof SyntaxError ? 'is not JSON' : describeError(error)}`)
    }
  }
  const ids = entries.map(({ merchantId }) => merchantId)
  const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) !== index))
  mistakes.push(...[...repeated].map((id) => `merchant ${id} is given twice`))
  if (mistakes.length > 0) throw new Error(`Nothing was written:\n${mistakes.map((mistake) => `  ${mistake}`).join('\n')}`)
  return entries
}

export type Change = { merchantId: string; change: 'added' | 'changed' | 'removed' | 'unchanged' }

/** Pure: what putting these entries does to the registry; members in another order are no change. */
export const changesOf = ({ merchants }: Registry, entries: Merchant[]): Change[] =>
  entries.map((entry) => {
    const present = merchants.get(entry.merchantId)
    const same = present !== undefined && isDeepStrictEqual(present, entry)
    return { merchantId: entry.merchantId, change: same ? 'unchanged' : present === undefined ? 'added' : 'changed' }
  })

/** Writes what changed, in the order given; what is unchanged is not written again. */
export async function writeEntries({ kafka, topics }: KafkaSession, entries: Merchant[], changes: Change[]): Promise<void> {
  const changed = new Set(changes.filter(({ change }) => change !== 'unchanged').map(({ merchantId }) => merchantId))
  const records = entries
    .filter(({ merchantId }) => changed.has(merchantId))
    .map((entry) => ({ topic: topics.merchants, key: entry.merchantId, value: JSON.stringify(entry) }))
  if (records.length > 0) await appendRecords(kafka, records)
}

/** A null value removes; its record stays in the history, which proves for every sync by which entry it was decided. */
export async function removeEntries({ kafka, topics }: KafkaSession, merchantIds: string[]): Promise<void> {
  await appendRecords(
    kafka,
    merchantIds.map((merchantId) => ({ topic: topics.merchants, key: merchantId, value: null })),
  )
}
