import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { changesOf, countChanges, differences, warningsOf } from '../../services/operator/merchants/changes.ts'
import { readEntries } from '../../services/operator/merchants/entries.ts'
import { explain, whyNobody } from '../../services/operator/merchants/match.ts'
import { createRegistry } from '../../shared/contracts/registry.ts'
import type { Subscription } from '../../shared/contracts/subscription.ts'
import type { Merchant, TokenEvent } from '../../shared/contracts/types.ts'
import { temporaryFolder } from './operator-under-test.ts'

const folder = temporaryFolder(t)
const entry = (merchantId: string, ...subscriptions: Partial<Subscription>[]): Merchant => ({
  merchantId,
  subscriptions: subscriptions.map((subscription, index) => ({ id: `s${index}`, enabled: true, ...subscription })),
})
const registryOf = (...entries: Merchant[]) => {
  const registry = createRegistry()
  entries.forEach((one, offset) => {
    registry.apply({ offset, key: Buffer.from(one.merchantId), value: Buffer.from(JSON.stringify(one)) })
  })
  return registry
}
const read = (text: string) => readEntries(['-'], async () => text)

t.test('entries are read alone, as a list, and one a line', async (t) => {
  const [one, two] = [entry('M-1', {}), entry('M-2')]
  t.strictSame(await read(JSON.stringify(one)), [one])
  t.strictSame(await read(JSON.stringify(one, null, 2)), [one])
  t.strictSame(await read(JSON.stringify([one, two], null, 2)), [one, two])
  t.strictSame(await read(`${JSON.stringify(one)}\r\n\n${JSON.stringify(two)}\n`), [one, two])
  t.strictSame(await read('\n'), [], 'an export of nothing')
  const file = join(folder, 'two.jsonl')
  writeFileSync(file, `${JSON.stringify(one)}\n`)
  t.strictSame(await readEntries([file, '-'], async () => JSON.stringify(two)), [one, two])
})

t.test('a mistake is named with its place, and many are cut short', async (t) => {
  const good = JSON.stringify(entry('M-1'))
  await t.rejects(read(`${good}\n{"merchantId":7}\n`), { message: /standard input:2: \/merchantId must be string/ })
  await t.rejects(read(`${good}\n{"merchantId"\n`), { message: /standard input:2: / })
  await t.rejects(read(`[${good},${good}]`), { message: /merchant M-1 is given twice/ })
  await t.rejects(read('{'), { message: /standard input: is not JSON/ })
  const misspelled = { ...entry('M-1', {}), subscriptions: [{ id: 'shop', enabled: true, wallet: ['x'] }], names: 'x' }
  await t.rejects(read(JSON.stringify(misspelled)), {
    message: /\/names is no member.*\n.*\/subscriptions\/0\/wallet is no member/,
  })
  const many = Array.from({ length: 50 }, () => '{}').join('\n')
  await t.rejects(read(many), { message: /and 80 more$/ })
})

t.test('a subscription that can match nothing and two that can match the same are warned about', async (t) => {
  const warned: [string, Partial<Subscription>[], RegExp[]][] = [
    ['one alone', [{}], []],
    ['two that want all', [{}, {}], [/s0 and s1 overlap/]],
    ['one is off', [{}, { enabled: false }], []],
    ['other types', [{ types: ['token.created'] }, { types: ['token.canceled', 'token.expired'] }], []],
    ['a type in common', [{ types: ['token.created', 'token.expired'] }, { types: ['token.expired'] }], [/overlap/]],
    ['other providers', [{ providers: ['bluepay'] }, { providers: ['alipayplus'] }], []],
    ['other wallets', [{ wallets: ['1'] }, { wallets: ['2'] }], []],
    ['wallets against channels', [{ wallets: ['1'] }, { channels: ['A'] }], []],
    ['wallets against bluepay', [{ wallets: ['1'] }, { providers: ['bluepay'] }], []],
    ['channels against all', [{ channels: ['A'] }, {}], [/overlap/]],
    ['three', [{}, { types: ['token.created'] }, { types: ['token.canceled'] }], [/s0 and s1/, /s0 and s2/]],
    ['both filters', [{ wallets: ['1'], channels: ['A'] }], [/no event can pass all filters of subscription s0/]],
    ['wallets of bluepay', [{ wallets: ['1'], providers: ['bluepay'] }], [/no event can pass/]],
    ['channels of alipayplus', [{ channels: ['A'], providers: ['alipayplus'] }], [/no event can pass/]],
    ['no type', [{ types: [] }, {}], [/no event can pass/]],
  ]
  for (const [name, subscriptions, expected] of warned) {
    const found = warningsOf(entry('M-1', ...subscriptions))
    t.equal(found.length, expected.length, name)
    t.match(found, expected, name)
  }
})

t.test('what changes is named by its path; what is unreadable is written again', async (t) => {
  const before = entry('M-1', { types: ['token.created'] }, {})
  const after = { ...entry('M-1', { types: ['token.canceled'] }, { enabled: false }), name: 'One' }
  t.strictSame(differences(before, after), ['/subscriptions/0/types/0', '/subscriptions/1/enabled', '/name'])
  const same = { subscriptions: before.subscriptions, merchantId: 'M-1' }
  t.strictSame(differences(before, same), [], 'another order is no change')

  const registry = registryOf(before, entry('M-2'))
  const changes = changesOf({ registry, unreadable: ['M-2'] }, [after, entry('M-2'), entry('M-3')])
  t.match(changes, [
    { merchantId: 'M-1', change: 'changed' },
    { merchantId: 'M-2', change: 'changed', members: [] },
    { merchantId: 'M-3', change: 'added' },
  ])
  t.strictSame(countChanges(changes), { added: 1, changed: 2, removed: 0, unchanged: 0 })
})

t.test('why an event goes where it goes, for those it concerns and those who ask', async (t) => {
  const event = { type: 'token.created', provider: 'alipayplus', merchantId: 'M-1', authClientId: 'client' } as TokenEvent
  const registry = registryOf(
    entry('M-1', {}, { types: ['token.canceled'], enabled: false }),
    { ...entry('M-2', { wallets: ['1'] }), authClientIds: ['client'] },
    { ...entry('M-3'), authClientIds: ['client'] },
    entry('M-4', {}),
  )
  const all = explain(registry, event)
  t.strictSame(all, [
    { merchantId: 'M-1', subscriptionId: 's0', refusals: [] },
    { merchantId: 'M-1', subscriptionId: 's1', refusals: ['disabled', 'type'] },
    { merchantId: 'M-2', subscriptionId: 's0', refusals: ['wallet'] },
    { merchantId: 'M-3', refusals: ['no-subscriptions'] },
  ])
  t.strictSame(explain(registry, event, ['M-4', 'M-5']), [
    { merchantId: 'M-4', refusals: ['not-concerned'] },
    { merchantId: 'M-5', refusals: ['not-registered'] },
  ])
  t.equal(whyNobody(all.slice(1)), 'M-1/s1: disabled, type; M-2/s0: wallet; M-3: no-subscriptions')
  t.equal(whyNobody([]), 'it concerns no registered merchant')
})
