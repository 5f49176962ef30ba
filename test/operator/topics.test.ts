import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { topicNames, topicSettings } from '../../shared/contracts/topics.ts'
import { readTopics } from '../../shared/kafka/reader.ts'
import { compareTopics, planTopics, topicShapes } from '../../shared/kafka/topics.ts'
import { testKafka, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { operator, temporaryFolder } from './operator-under-test.ts'

/** A prefix of the test's own; its topics are deleted at the end. */
function ownTopics(t: { teardown: (handler: () => Promise<void>) => void }) {
  const TOPIC_PREFIX = `test-${randomBytes(4).toString('hex')}.`
  const [topics, kafka] = [topicNames(TOPIC_PREFIX), testKafka()]
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX }
  const admin = kafka.admin()
  t.teardown(async () => {
    const names = (await admin.listTopics()).filter((name) => name.startsWith(TOPIC_PREFIX))
    await admin.deleteTopics({ topics: names }).finally(() => admin.disconnect())
  })
  const run = (...args: string[]) => operator(['topics', ...args, '--replication', '1'], { env })
  return { topics, kafka, admin, run, env }
}

t.test('plan, apply, check: what is missing is shown, made, and then as it should be', async (t) => {
  const { topics, admin, kafka, run } = ownTopics(t)
  await admin.connect()
  const wanted = topicShapes(topicSettings(topics, 3), 1)

  const planned = await run('plan', '--partitions', '3', '--json')
  t.equal(planned.code, 0, 'a plan is an answer, not a failure')
  const { differences } = planned.json() as { differences: { topic: string; what: string; mend: string }[] }
  t.same(
    differences.map(({ topic, what, mend }) => ({ topic, what, mend })),
    wanted.map(({ topic }) => ({ topic, what: 'missing', mend: 'create' })),
  )
  t.match(await run('check', '--partitions', '3'), { code: 1, out: /create +.*token-events\.v1 \(3 partitions, replication 1\)/ })
  t.match(await run('apply', '--partitions', '3', '--dry-run'), { code: 0, out: /create/ })
  t.equal((await planTopics(kafka, wanted)).length, wanted.length, 'neither plan, check nor a dry run makes a topic')

  t.match(await run('apply', '--partitions', '3'), { code: 0, out: /created .*token-events\.v1/ })
  t.same(await planTopics(kafka, wanted), [])
  t.match(await run('check', '--partitions', '3'), { code: 0, out: 'All topics are as they should be.\n' })
  t.match(await run('apply', '--partitions', '3'), { code: 0, out: /nothing to do/ })
})

t.test('what differs is set, and what an operator set besides stays; a partition count is never raised', async (t) => {
  const { topics, admin, run } = ownTopics(t)
  await admin.connect()
  await run('apply', '--partitions', '2')
  const own = [
    { name: 'retention.ms', value: '60000' },
    { name: 'retention.bytes', value: '123456789' },
  ]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topics.events, configEntries: own }] })
  // Said by the controller; the broker that is asked knows it a moment later.
  const asked = { resources: [{ type: 2, name: topics.events, configNames: ['retention.bytes'] }], includeSynonyms: false }
  await waitFor('the broker to know', async () => {
    const [resource] = (await admin.describeConfigs(asked)).resources
    return resource?.configEntries.some(({ configValue }) => configValue === '123456789')
  })

  const checked = await run('check', '--partitions', '4', '--json')
  t.equal(checked.code, 1)
  const { differences } = checked.json() as { differences: { topic: string; what: string; name?: string; mend: string }[] }
  const counts = differences.filter(({ what }) => what === 'partitions')
  t.equal(counts.length, topicSettings(topics, 4).length - 2, 'all but the registry and the audit trail')
  t.ok(counts.every(({ mend }) => mend === 'nobody'))
  const changed = differences.filter(({ what }) => what === 'config').map(({ topic, name, mend }) => ({ topic, name, mend }))
  t.match(changed, [{ topic: topics.events, name: 'retention.ms', mend: 'alter' }])

  const applied = await run('apply', '--partitions', '4')
  t.equal(applied.code, 1, 'something is left to a person')
  t.match(applied.out, /set .*retention\.ms 60000 → 2592000000/)
  t.match(applied.out, /a live topic keeps its partition count/)
  const { topics: described } = await admin.fetchTopicMetadata({ topics: [topics.events] })
  t.equal(described[0]?.partitions.length, 2)
  const config = await waitFor('the broker to know', async () => {
    const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name: topics.events }], includeSynonyms: false })
    const entries = (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue])
    const known = Object.fromEntries(entries) as Record<string, string>
    return known['retention.ms'] !== '60000' && known
  })
  t.match(config, { 'retention.ms': '2592000000', 'retention.bytes': '123456789', 'message.timestamp.type': 'CreateTime' })
})

type AuditRecord = { key: string; value: Record<string, unknown> }
async function auditRecords(kafka: ReturnType<typeof testKafka>, topic: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = []
  const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }) =>
    void records.push({ key: String(key), value: JSON.parse(String(value)) as Record<string, unknown> })
  const reader = await readTopics({ kafka, topics: [topic], onRecord })
  await reader.caughtUp.finally(() => reader.stop())
  return records
}

t.test('every change is recorded with who, what and when; a command that changed nothing leaves no record', async (t) => {
  const { topics, kafka, admin, run } = ownTopics(t)
  await admin.connect()
  await run('apply', '--partitions', '1')
  await run('apply', '--partitions', '1')
  await run('plan')
  const records = await auditRecords(kafka, topics.audit)
  t.equal(records.length, 1)
  t.match(records[0], {
    key: 'topics apply',
    value: { who: 'tester@here', command: 'topics apply', args: ['topics', 'apply', '--partitions', '1', '--replication', '1'] },
  })
  t.ok(Math.abs(Date.parse(String(records[0]?.value.at)) - Date.now()) < 60_000)
})

t.test('new keys are recorded by their ids where Kafka is configured, and made where it cannot be reached', async (t) => {
  const { topics, kafka, admin, run, env } = ownTopics(t)
  await admin.connect()
  await run('apply', '--partitions', '1')
  const folder = join(temporaryFolder(t), 'keys')
  t.match((await operator(['keys', 'make', '--out', folder, '--json'], { env })).json(), { audited: true })
  const { kid } = (await operator(['keys', 'rotate', '--dir', folder, '--set', 'raw', '--json'], { env })).json() as {
    kid: string
  }
  const records = (await auditRecords(kafka, topics.audit)).slice(1)
  t.match(records, [
    { key: 'keys make', value: { changes: { folder } } },
    { key: 'keys rotate', value: { changes: { set: 'raw', kid } } },
  ])
  const away = { env: { KAFKA_BROKERS: '127.0.0.1:1' } }
  t.match(await operator(['keys', 'make', '--out', `${folder}-2`], away), {
    code: 0,
    out: /Not in the audit trail: .*ECONNREFUSED/,
  })
})

t.test('more replicas than brokers is refused by the broker, in words', async (t) => {
  const { env, admin } = ownTopics(t)
  await admin.connect()
  const { code, err } = await operator(['topics', 'apply', '--replication', '3'], { env })
  t.equal(code, 1)
  t.match(err, /[Rr]eplication/)
})

t.test('a smallest in-sync set is only asked of topics that have the replicas for it', async (t) => {
  const wanted = topicShapes([{ topic: 'a', partitions: 1, config: { 'cleanup.policy': 'delete' } }], 3)
  t.match(wanted, [{ replication: 3, config: { 'min.insync.replicas': '2' } }])
  t.match(topicShapes([{ topic: 'a', partitions: 1, config: {} }], 1), [{ config: { 'min.insync.replicas': '1' } }])
  const found = [
    { topic: 'a', partitions: 1, replication: 1, config: { 'cleanup.policy': 'delete', 'min.insync.replicas': '1' } },
  ]
  t.same(
    compareTopics(wanted, found).map(({ what, mend }) => ({ what, mend })),
    [{ what: 'replication', mend: 'nobody' }],
  )
})
