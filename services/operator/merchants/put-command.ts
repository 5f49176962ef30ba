import type { Command } from 'commander'
import type { Merchant } from '../../../shared/contracts/types.ts'
import type { Answer } from '../answer.ts'
import { type CommonOptions, defineCommand, type Frame } from '../command.ts'
import { audit, type KafkaSession, openKafka } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { type Change, changesOf, countChanges, warningsOf } from './changes.ts'
import { readEntries } from './entries.ts'
import { readRegistry, writeEntries } from './registry-topic.ts'

const shownWarnings = 20
/** More are in the registry's own history, and would not fit one audit record. */
const auditedChanges = 1_000

const form =
  'Files hold one entry, a list, or an entry a line, as in shared/contracts/schemas/merchant.schema.json. One mistake, and none is written.'

/** `operator merchants put|import|diff`: entries from files, and what they would change. */
export function addPutCommands(merchants: Command, { terminal, perform }: Frame): void {
  defineCommand(merchants, 'put', {
    summary: 'add or change entries; an identical one is left alone',
    examples: [
      'merchants put merchants.json',
      'merchants put shop-a.json shop-b.json --dry-run',
      'merchants put - < merchants.json',
    ],
    details: form,
    changes: true,
  })
    .argument('<files...>', 'JSON files; - is standard input')
    .action(
      perform(async (files: string[], { dryRun = false }: CommonOptions) => {
        const entries = await readEntries(files, terminal.input)
        const changes = await put(openKafka(terminal), terminal, 'merchants put', entries, dryRun)
        const warnings = entries.flatMap(warningsOf)
        return {
          fulfilled: true,
          document: { changes, dryRun, warnings },
          text: [lines(changes, dryRun), ...tell(warnings)].join('\n'),
        }
      }),
    )

  defineCommand(merchants, 'import', {
    summary: 'put many entries at once, and say how many changed',
    examples: ['merchants import merchants.jsonl', 'merchants export | operator merchants import - --dry-run'],
    details: `${form}\nMerchants that the files do not name stay. An import that failed half-way can be run again: what it wrote is left alone.`,
    changes: true,
  })
    .argument('<files...>', 'JSON files; - is standard input')
    .action(
      perform(async (files: string[], { dryRun = false }: CommonOptions) => {
        const entries = await readEntries(files, terminal.input)
        const changes = await put(openKafka(terminal), terminal, 'merchants import', entries, dryRun)
        const counts = countChanges(changes)
        const warnings = entries.flatMap(warningsOf)
        return {
          fulfilled: true,
          document: { ...counts, dryRun, warnings },
          text: [summary(counts, dryRun), ...tell(warnings)].join('\n'),
        }
      }),
    )

  defineCommand(merchants, 'diff', {
    summary: 'show what import would change; exit 1 if anything',
    examples: ['merchants diff merchants.jsonl', 'merchants diff merchants.jsonl --json'],
    details: form,
  })
    .argument('<files...>', 'JSON files; - is standard input')
    .action(
      perform(async (files: string[], _options: CommonOptions): Promise<Answer> => {
        const entries = await readEntries(files, terminal.input)
        const read = await readRegistry(openKafka(terminal))
        const changes = changesOf(read, entries)
        const different = changes.filter(({ change }) => change !== 'unchanged')
        const named = new Set(entries.map(({ merchantId }) => merchantId))
        const notInFiles = [...read.registry.entries().keys()].filter((id) => !named.has(id)).length
        const others =
          notInFiles > 0 ? [`${notInFiles} registered merchants are not in the files; import leaves them as they are.`] : []
        const text = [...different.map((change) => line(change, false)), summary(countChanges(changes), true), ...others]
        return { fulfilled: different.length === 0, document: { changes: different, notInFiles }, text: text.join('\n') }
      }),
    )
}

/** Writes what differs from the registry, records it in the audit trail, and returns what was, or would be, done. */
export async function put(
  session: KafkaSession,
  terminal: Terminal,
  command: string,
  entries: Merchant[],
  dryRun: boolean,
): Promise<Change[]> {
  const changes = changesOf(await readRegistry(session), entries)
  const toWrite = entries.filter((_, index) => changes[index]?.change !== 'unchanged')
  if (dryRun || toWrite.length === 0) return changes
  const progress = createProgress(terminal.screen, 'written', toWrite.length)
  await writeEntries(session, toWrite, progress.advance).finally(progress.end)
  const real = changes.filter(({ change }) => change !== 'unchanged')
  await audit(session, terminal, command, real.length <= auditedChanges ? real : countChanges(real))
  return changes
}

/** A line for each change. */
export const lines = (changes: Change[], dryRun: boolean): string =>
  changes.map((change) => line(change, dryRun)).join('\n') || 'No entries.'

const line = ({ merchantId, change, members = [] }: Change, dryRun: boolean) =>
  `${merchantId}: ${dryRun ? 'would be ' : ''}${change}${members.length > 0 ? ` (${members.join(', ')})` : ''}`

const summary = ({ added, changed, unchanged }: ReturnType<typeof countChanges>, dryRun: boolean) =>
  `${added + changed + unchanged} entries: ${added} ${dryRun ? 'would be ' : ''}added, ${changed} changed, ${unchanged} unchanged.`

function tell(warnings: string[]): string[] {
  const more = warnings.length > shownWarnings ? [`… and ${warnings.length - shownWarnings} more warnings (--json has all)`] : []
  return [...warnings.slice(0, shownWarnings).map((warning) => `Warning: ${warning}`), ...more]
}
