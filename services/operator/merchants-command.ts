import type { Command } from 'commander'
import type { Merchant } from '../../shared/contracts/types.ts'
import { type Answer, table } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame } from './command.ts'
import { audit, openKafka } from './kafka-session.ts'
import { type Change, changesOf, readEntries, readRegistry, removeEntries, writeEntries } from './merchants.ts'

/** `operator merchants put|list|remove`: the registry of merchants and their subscriptions, a topic with its whole history. */
export function addMerchantsCommand(program: Command, { terminal, perform }: Frame): void {
  const merchants = program.command('merchants').description('the registry of merchants and their subscriptions')

  defineCommand(merchants, 'put', {
    summary: 'add or change entries; an identical one is left alone',
    examples: [
      'merchants put merchants.json',
      'merchants put shop-a.json shop-b.json --dry-run',
      'merchants put - < merchants.json',
    ],
    details:
      'Each file holds one entry or a list, as in shared/contracts/schemas/merchant.schema.json. One mistake, and none is written.',
    changes: true,
  })
    .argument('<files...>', 'JSON files; - is standard input')
    .action(
      perform(async (files: string[], { dryRun }: CommonOptions) => {
        const entries = await readEntries(files, terminal.input)
        const session = openKafka(terminal)
        const changes = changesOf(await readRegistry(session), entries)
        const real = changes.filter(({ change }) => change !== 'unchanged')
        if (!dryRun && real.length > 0) {
          await writeEntries(session, entries, changes)
          await audit(session, terminal, 'merchants put', real)
        }
        return describe(changes, dryRun === true)
      }),
    )

  defineCommand(merchants, 'list', {
    summary: 'show every entry',
    examples: ['merchants list', "merchants list --json | jq '.merchants[].merchantId'"],
  }).action(
    perform(async (_options: CommonOptions) => {
      const { merchants, unreadable } = await readRegistry(openKafka(terminal))
      const entries = [...merchants.values()].sort((a, b) => (a.merchantId < b.merchantId ? -1 : 1))
      const rows = entries.flatMap(rowsOf)
      const warnings = unreadable.map((id) => `\n${id}: its latest record is no valid entry; put it again`)
      const text =
        rows.length > 0 ? table(['merchant', 'name', 'subscription', 'on', 'types', 'endpoint'], rows) : 'No merchants.'
      return { fulfilled: unreadable.length === 0, document: { merchants: entries, unreadable }, text: text + warnings.join('') }
    }),
  )

  defineCommand(merchants, 'remove', {
    summary: 'remove merchants from the registry',
    examples: ['merchants remove M-1001', 'merchants remove M-1001 M-1002 --dry-run'],
    changes: true,
  })
    .argument('<ids...>', 'merchant ids')
    .action(
      perform(async (ids: string[], { dryRun }: CommonOptions) => {
        const session = openKafka(terminal)
        const registry = await readRegistry(session)
        const missing = ids.filter((id) => !registry.merchants.has(id) && !registry.unreadable.includes(id))
        if (missing.length > 0) throw new Error(`Not in the registry: ${missing.join(', ')}. Nothing was removed`)
        const changes = [...new Set(ids)].map((merchantId): Change => ({ merchantId, change: 'removed' }))
        if (!dryRun) {
          await removeEntries(
            session,
            changes.map(({ merchantId }) => merchantId),
          )
          await audit(session, terminal, 'merchants remove', changes)
        }
        return describe(changes, dryRun === true)
      }),
    )
}

function describe(changes: Change[], dryRun: boolean): Answer {
  const text = changes.map(({ merchantId, change }) => `${merchantId}: ${dryRun ? 'would be ' : ''}${change}`)
  return { fulfilled: true, document: { changes, dryRun }, text: text.join('\n') || 'No entries.' }
}

function rowsOf({ merchantId, name = '', subscriptions }: Merchant): string[][] {
  if (subscriptions.length === 0) return [[merchantId, name, '(none)']]
  return subscriptions.map(({ id, enabled, types, providers, endpoint = '' }, index) => {
    const wanted = [...(types ?? ['all']), ...(providers ?? [])].join(', ')
    return [index === 0 ? merchantId : '', index === 0 ? name : '', id, enabled ? 'yes' : 'no', wanted, endpoint]
  })
}
