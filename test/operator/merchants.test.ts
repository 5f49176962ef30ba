import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { demonstrationMerchants } from '../../services/operator/keys/demonstration.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { createTopicSet, type TopicSet, testStack } from '../support/topic-set.ts'
import { type Around, operator, temporaryFolder } from './operator-under-test.ts'

const folder = temporaryFolder(t)
const entry = (merchantId: string, more: object = {}) => ({ merchantId, subscriptions: [{ id: 'shop', enabled: true }], ...more })
const fileOf = (name: string, content: unknown) => {
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  return join(folder, name)
}

async function setUp(t: Parameters<typeof createTopicSet>[0]) {
  const set = await createTopicSet(t, { partitions: 1 })
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: set.prefix }
  const run = (args: string[], around: Around = {}) => operator(['merchants', ...args], { env, ...around })
  return { set, run }
}

async function recordsOf({ kafka }: TopicSet, topic: string): Promise<{ key: string; value: unknown }[]> {
  const records: { key: string; value: unknown }[] = []
  const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }) =>
    void records.push({ key: String(key), value: value && JSON.parse(value.toString()) })
  const reader = await readTopics({ kafka, topics: [topic], onRecord })
  await reader.caughtUp.finally(() => reader.stop())
  return records
}

t.test('put adds, changes and leaves alone; list shows the latest; remove removes', async (t) => {
  const { set, run } = await setUp(t)
  t.match(await run(['list']), { code: 0, out: 'No merchants.\n' })
  const [one, two] = [entry('M-1', { name: 'One' }), entry('M-2')]

  const added = await run(['put', fileOf('one.json', one), fileOf('list.json', [two]), '--json'])
  t.equal(added.code, 0)
  t.match(added.json(), {
    changes: [
      { merchantId: 'M-1', change: 'added' },
      { merchantId: 'M-2', change: 'added' },
    ],
  })

  const reordered = fileOf('reordered.json', { subscriptions: one.subscriptions, name: 'One', merchantId: 'M-1' })
  const changed = { ...two, name: 'Two' }
  const again = await run(['put', reordered, '-'], { input: JSON.stringify(changed) })
  t.match(again, { code: 0, out: 'M-1: unchanged\nM-2: changed (/name)\n' })
  t.match(await run(['put', reordered]), { code: 0, out: 'M-1: unchanged\n' })

  const listed = await run(['list', '--json'])
  t.same(listed.json(), { merchants: [one, changed], unreadable: [] })
  t.match((await run(['list'])).out, /M-1 +One +shop +yes +all/)

  t.match(await run(['remove', 'M-1']), { code: 0, out: 'M-1: removed\n' })
  t.match((await run(['list', '--json'])).json(), { merchants: [{ merchantId: 'M-2' }] })
  t.match(await run(['put', reordered]), { code: 0, out: 'M-1: added\n' })

  t.same(
    (await recordsOf(set, set.topics.merchants)).map(({ key, value }) => [key, value === null ? null : 'entry']),
    [
      ['M-1', 'entry'],
      ['M-2', 'entry'],
      ['M-2', 'entry'],
      ['M-1', null],
      ['M-1', 'entry'],
    ],
    'the history has every change, and nothing for what was unchanged',
  )
  t.same(
    (await recordsOf(set, set.topics.audit)).map(({ key, value }) => [
      key,
      (value as { changes: { change: string }[] }).changes.map(({ change }) => change),
    ]),
    [
      ['merchants put', ['added', 'added']],
      ['merchants put', ['changed']],
      ['merchants remove', ['removed']],
      ['merchants put', ['added']],
    ],
  )
})

t.test('one mistake, and nothing is written; all mistakes are named', async (t) => {
  const { set, run } = await setUp(t)
  const files = [
    fileOf('good.json', entry('M-1')),
    fileOf('bad.json', [entry('M-2', { subscriptions: [{ id: 'Not lower case', enabled: 'yes' }] }), entry('')]),
    fileOf('twice.json', entry('M-1')),
    fileOf('broken.json', '{'),
    join(folder, 'missing.json'),
  ]
  const { code, err } = await run(['put', ...files])
  t.equal(code, 1)
  for (const mistake of [
    'bad.json/0: /subscriptions/0/id',
    'bad.json/0: /subscriptions/0/enabled',
    'bad.json/1: /merchantId',
    'broken.json: is not JSON',
    'missing.json: ENOENT',
    'merchant M-1 is given twice',
  ])
    t.ok(err.includes(mistake), mistake)
  t.same([...(await recordsOf(set, set.topics.merchants)), ...(await recordsOf(set, set.topics.audit))], [])
})

t.test('a dry run says what would change and changes nothing', async (t) => {
  const { set, run } = await setUp(t)
  t.match(await run(['put', fileOf('one.json', entry('M-1')), '--dry-run']), { code: 0, out: 'M-1: would be added\n' })
  await run(['put', fileOf('one.json', entry('M-1'))])
  t.match(await run(['remove', 'M-1', '--dry-run']), { code: 0, out: 'M-1: would be removed\n' })
  t.equal((await recordsOf(set, set.topics.merchants)).length, 1)
})

t.test('removing who is not there fails, and nobody is removed', async (t) => {
  const { set, run } = await setUp(t)
  await run(['put', fileOf('one.json', entry('M-1'))])
  t.match(await run(['remove', 'M-1', 'M-9']), { code: 1, err: /Not in the registry: M-9\. Nothing was removed/ })
  t.equal((await recordsOf(set, set.topics.merchants)).length, 1)
})

t.test('an entry that is no entry is shown as such, and can be put again or removed', async (t) => {
  const { set, run } = await setUp(t)
  const producer = set.kafka.producer()
  await producer.connect()
  await producer.send({ topic: set.topics.merchants, messages: [{ key: 'M-1', value: '{"merchantId":7}' }] })
  await producer.disconnect()
  t.match(await run(['list']), { code: 1, out: /M-1: its latest record is no valid entry/ })
  t.match(await run(['put', fileOf('one.json', entry('M-1'))]), { code: 0, out: 'M-1: added\n' })
  t.match(await run(['list']), { code: 0 })
})

t.test('the demonstration merchants can be put', async (t) => {
  const { run } = await setUp(t)
  const { code, json } = await run(['put', fileOf('demonstration.json', demonstrationMerchants), '--json'])
  t.equal(code, 0)
  t.equal((json() as { changes: unknown[] }).changes.length, demonstrationMerchants.length)
})

t.test('without its topic the registry says how to make it', async (t) => {
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: 'test-nowhere.' }
  t.match(await operator(['merchants', 'list'], { env }), {
    code: 1,
    err: /Topic test-nowhere\.merchants\.v1 is missing.*operator topics apply/,
  })
})

t.test('import writes what differs and counts it, export gives what import reads, diff says what import would do', async (t) => {
  const { set, run } = await setUp(t)
  const entries = Array.from({ length: 2_500 }, (_, index) =>
    entry(`M-${String(index).padStart(4, '0')}`, { name: `Shop ${index}` }),
  )
  const file = fileOf('many.jsonl', entries.map((one) => JSON.stringify(one)).join('\n'))
  t.match(await run(['diff', file]), { code: 1, out: /2500 entries: 2500 would be added, 0 changed, 0 unchanged/ })
  t.match(await run(['import', file, '--dry-run']), { code: 0, out: /2500 would be added/ })
  t.match(await run(['import', file]), { code: 0, out: '2500 entries: 2500 added, 0 changed, 0 unchanged.\n' })
  t.match(await run(['diff', file]), { code: 0, out: '2500 entries: 0 would be added, 0 changed, 2500 unchanged.\n' })
  t.match(await run(['import', file]), { code: 0, out: /2500 unchanged/ })
  t.equal((await recordsOf(set, set.topics.merchants)).length, 2_500, 'a second import writes nothing')

  const exported = (await run(['export'])).out
  t.same(
    exported
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    entries,
  )
  t.match(await run(['diff', '-'], { input: exported }), { code: 0 })
  t.match(await run(['diff', fileOf('changed.json', [{ ...entries[7], name: 'New' }, entries[8]])]), {
    code: 1,
    out: 'M-0007: changed (/name)\n2 entries: 0 would be added, 1 changed, 1 unchanged.\n2498 registered merchants are not in the files',
  })

  const audits = (await recordsOf(set, set.topics.audit)).map(({ key, value }) => [key, (value as { changes: unknown }).changes])
  t.same(audits, [['merchants import', { added: 2_500, changed: 0, removed: 0, unchanged: 0 }]], 'too many for one audit record')
})

t.test('subscriptions are switched off and on; history has every version, as syncs record it', async (t) => {
  const { set, run } = await setUp(t)
  const two = {
    merchantId: 'M-1',
    subscriptions: [
      { id: 'shop', enabled: true },
      { id: 'desk', enabled: true, types: ['token.canceled'] },
    ],
  }
  t.match(await run(['put', fileOf('two.json', two)]), { out: /Warning: M-1: subscriptions shop and desk overlap/ })
  t.match(await run(['disable', 'M-1', 'desk', '--dry-run']), {
    code: 0,
    out: 'M-1: would be changed (/subscriptions/1/enabled)\n',
  })
  t.match(await run(['disable', 'M-1', 'desk']), { code: 0, out: 'M-1: changed (/subscriptions/1/enabled)\n' })
  t.match(await run(['disable', 'M-1', 'desk']), { code: 0, out: 'M-1: unchanged\n' })
  t.match(await run(['disable', 'M-1']), { code: 0, out: 'M-1: changed (/subscriptions/0/enabled)\n' })
  t.match(await run(['enable', 'M-1', 'shop']), { code: 0 })
  t.match(await run(['enable', 'M-1', 'till']), { code: 1, err: /M-1 has no subscription till; it has: shop, desk/ })
  t.match(await run(['enable', 'M-9']), { code: 1, err: /Not in the registry: M-9/ })
  await appendRecords(set.kafka, [{ topic: set.topics.merchants, key: 'M-1', value: '{"merchantId":7}' }])
  await run(['remove', 'M-1'])

  const history = await run(['history', 'M-1', '--json'])
  t.match(history.json(), {
    versions: [
      { registryOffset: 0, change: 'added', entry: two },
      { registryOffset: 1, change: 'changed', detail: ['/subscriptions/1/enabled'] },
      { registryOffset: 2, change: 'changed', detail: ['/subscriptions/0/enabled'] },
      { registryOffset: 3, change: 'changed', entry: { subscriptions: [{ enabled: true }, { enabled: false }] } },
      { registryOffset: 4, change: 'refused', entry: { subscriptions: [{ enabled: true }, { enabled: false }] } },
      { registryOffset: 5, change: 'removed', entry: null },
    ],
  })
  t.match((await run(['history', 'M-1'])).out, /1 +\d{4}-.*Z +changed +\/subscriptions\/1\/enabled\n/)
  t.match(await run(['history', 'M-9']), { code: 1, out: /M-9 was never in the registry/ })
})
