import type { Command } from 'commander'
import type { Merchant } from '../../shared/contracts/types.ts'
import { table } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame } from './command.ts'
import { audit, openKafka } from './kafka-session.ts'
import { type Change, differences } from './merchants/changes.ts'
import { addMatchCommands } from './merchants/match-command.ts'
import { addPutCommands, lines, put } from './merchants/put-command.ts'
import { readRegistry, removeEntries } from './merchants/registry-topic.ts'

/** `operator merchants …`: the registry of merchants and their subscriptions, a topic with its whole history. */
export function addMerchantsCommand(program: Command, frame: Frame): void {
  const { terminal, perform } = frame
  const merchants = program.command('merchants').description('the registry of merchants and their subscriptions')
  addPutCommands(merchants, frame)

  defineCommand(merchants, 'list', {
    summary: 'show every entry',
    examples: ['merchants list', "merchants list --json | jq '.merchants[].merchantId'"],
  }).action(
    perform(async (_options: CommonOptions) => {
      const { entries, unreadable, warnings } = await inOrder(frame)
      const rows = entries.flatMap(rowsOf)
      const text =
        rows.length > 0 ? table(['merchant', 'name', 'subscription', 'on', 'wanted', 'endpoint'], rows) : 'No merchants.'
      const document = { merchants: entries, unreadable }
      return { fulfilled: unreadable.length === 0, document, text: [text, ...warnings].join('\n') }
    }),
  )

  defineCommand(merchants, 'export', {
    summary: 'print every entry, one a line, as import reads them',
    examples: ['merchants export > merchants.jsonl', 'merchants export | operator merchants diff -'],
  }).action(
    perform(async (_options: CommonOptions) => {
      const { entries, unreadable, warnings } = await inOrder(frame)
      for (const warning of warnings) terminal.err(`${warning}\n`)
      const text = entries.map((entry) => JSON.stringify(entry)).join('\n')
      return { fulfilled: unreadable.length === 0, document: { merchants: entries, unreadable }, text }
    }),
  )

  defineCommand(merchants, 'history', {
    summary: "show every version of one merchant's entry: its offset is what a sync records as registryOffset",
    examples: ['merchants history M-1001', "merchants history M-1001 --json | jq '.versions[-1].entry'"],
  })
    .argument('<id>', 'merchant id')
    .action(
      perform(async (merchantId: string, _options: CommonOptions) => {
        const versions: Version[] = []
        await readRegistry(openKafka(terminal), {
          onRecord({ key, offset, timestamp }, mistakes, registry) {
            if (String(key) !== merchantId) return
            const before = versions.at(-1)?.entry ?? null
            const entry = registry.entries().get(merchantId) ?? null
            const change = changeOf(before, entry, mistakes)
            const detail = mistakes.length > 0 ? mistakes : change === 'changed' ? differences(before, entry) : []
            versions.push({ registryOffset: offset, at: new Date(timestamp).toISOString(), change, detail, entry })
          },
        })
        const rows = versions.map(({ registryOffset, at, change, detail }) => [
          String(registryOffset),
          at,
          change,
          detail.join(', '),
        ])
        const text =
          rows.length > 0 ? table(['version', 'at', 'change', 'what'], rows) : `${merchantId} was never in the registry.`
        return { fulfilled: rows.length > 0, document: { merchantId, versions }, text }
      }),
    )

  for (const enabled of [true, false]) {
    const verb = enabled ? 'enable' : 'disable'
    defineCommand(merchants, verb, {
      summary: `${verb} a subscription, or all of a merchant's`,
      examples: [`merchants ${verb} M-1001`, `merchants ${verb} M-1001 default --dry-run`],
      changes: true,
    })
      .argument('<id>', 'merchant id')
      .argument('[subscription]', 'subscription id; all if left out')
      .action(
        perform(async (merchantId: string, subscriptionId: string | undefined, { dryRun = false }: CommonOptions) => {
          const session = openKafka(terminal)
          const entry = (await readRegistry(session)).registry.entries().get(merchantId)
          if (!entry) throw new Error(`Not in the registry: ${merchantId}`)
          const ids = entry.subscriptions.map(({ id }) => id)
          if (subscriptionId !== undefined && !ids.includes(subscriptionId))
            throw new Error(`${merchantId} has no subscription ${subscriptionId}; it has: ${ids.join(', ') || 'none'}`)
          const subscriptions = entry.subscriptions.map((subscription) =>
            subscriptionId === undefined || subscription.id === subscriptionId ? { ...subscription, enabled } : subscription,
          )
          const changes = await put(session, terminal, `merchants ${verb}`, [{ ...entry, subscriptions }], dryRun)
          return { fulfilled: true, document: { changes, dryRun }, text: lines(changes, dryRun) }
        }),
      )
  }

  defineCommand(merchants, 'remove', {
    summary: 'remove merchants from the registry',
    examples: ['merchants remove M-1001', 'merchants remove M-1001 M-1002 --dry-run'],
    changes: true,
  })
    .argument('<ids...>', 'merchant ids')
    .action(
      perform(async (ids: string[], { dryRun = false }: CommonOptions) => {
        const session = openKafka(terminal)
        const { registry, unreadable } = await readRegistry(session)
        const missing = ids.filter((id) => !registry.entries().has(id) && !unreadable.includes(id))
        if (missing.length > 0) throw new Error(`Not in the registry: ${missing.join(', ')}. Nothing was removed`)
        const removed = [...new Set(ids)]
        const changes = removed.map((merchantId): Change => ({ merchantId, change: 'removed' }))
        if (!dryRun) {
          await removeEntries(session, removed)
          await audit(session, terminal, 'merchants remove', changes)
        }
        return { fulfilled: true, document: { changes, dryRun }, text: lines(changes, dryRun) }
      }),
    )

  addMatchCommands(merchants, frame)
}

type Version = {
  registryOffset: number
  at: string
  change: Change['change'] | 'refused'
  detail: string[]
  /** The entry in force from here on. */
  entry: Merchant | null
}

function changeOf(before: Merchant | null, entry: Merchant | null, mistakes: string[]): Version['change'] {
  if (mistakes.length > 0) return 'refused'
  if (entry === null) return 'removed'
  if (before === null) return 'added'
  return differences(before, entry).length > 0 ? 'changed' : 'unchanged'
}

async function inOrder({ terminal }: Frame) {
  const { registry, unreadable } = await readRegistry(openKafka(terminal))
  const entries = [...registry.entries().values()].sort((a, b) => (a.merchantId < b.merchantId ? -1 : 1))
  const warnings = unreadable.map((id) => {
    const inForce = registry.entries().has(id) ? 'the one before it is in force' : 'none is in force'
    return `${id}: its latest record is no valid entry, ${inForce}; put it again`
  })
  return { entries, unreadable, warnings }
}

function rowsOf({ merchantId, name = '', subscriptions }: Merchant): string[][] {
  if (subscriptions.length === 0) return [[merchantId, name, '(none)']]
  return subscriptions.map(({ id, enabled, types = [], providers = [], wallets = [], channels = [], endpoint = '' }, index) => {
    const wanted = [...types, ...providers, ...wallets, ...channels].join(', ') || 'all'
    return [index === 0 ? merchantId : '', index === 0 ? name : '', id, enabled ? 'yes' : 'no', wanted, endpoint]
  })
}
