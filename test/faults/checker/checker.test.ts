import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { nodeBinary } from '../../../deploy/local/run-operator.ts'
import { groupId, stageNames } from '../../../shared/contracts/topics.ts'
import type { SourceRecord } from '../../../shared/stage/outcome.ts'
import { readAll } from '../../support/read-topic.ts'
import { createTopicSet, type TopicSet, testStack } from '../../support/topic-set.ts'
import { checkRun, type Report } from './check-run.ts'
import { openWith, writeSmallRun } from './small-run.ts'
import { checkedTopics } from './topic-names.ts'

const { brokers } = testStack()
const positionOf = ({ topic, partition, offset }: SourceRecord) => `${topic}/${partition}/${offset}`

async function smallRun(t: { testdir: () => string; teardown: (end: () => Promise<void> | void) => void }) {
  const set = await createTopicSet(t)
  const keys = t.testdir()
  const history = await writeSmallRun(set, keys)
  const positions = join(keys, 'positions.jsonl')
  const seen = await readAll(...checkedTopics(set.prefix))
  writeFileSync(
    positions,
    seen.map(({ topic, partition, offset }) => `${JSON.stringify({ topic, partition, offset })}\n`).join(''),
  )
  return { set, source: { brokers, prefix: set.prefix, history, keys, positions }, seen }
}

async function committedOffsets({ kafka, prefix }: TopicSet) {
  const admin = kafka.admin()
  await admin.connect()
  const offsets = await Promise.all(stageNames.map((stage) => admin.fetchOffsets({ groupId: groupId(stage, prefix) })))
  await admin.disconnect()
  return offsets
}

/** The records as they are, to be written again. */
const again = (records: SourceRecord[]) => records.map((record) => ({ ...record, timestamp: String(record.timestamp) }))

type Answer = { code: number; stdout: string; stderr: string }
const runChecker = (args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Answer> =>
  new Promise((resolve) => {
    const main = join(import.meta.dirname, 'main.ts')
    execFile(nodeBinary, [main, ...args], { env, maxBuffer: 1e8 }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })

t.test('a run in real topics: in order as it is, and broken in the topics it is found broken there', async (t) => {
  const { set, source, seen } = await smallRun(t)
  const { topics } = set
  const before = await committedOffsets(set)

  const report = await checkRun(source)
  t.strictSame(report.problems, [], 'no problem')
  t.ok(report.ok)
  const { figures } = report
  t.ok(figures.aborted > 100, 'aborted records are in the log, and nobody saw them')
  t.ok(Math.min(figures.duplicates, figures.deadLetters, figures.syncs, figures.events) > 10, JSON.stringify(figures))
  t.equal(figures.raw, figures.events + figures.duplicates + figures.deadLetters)
  t.strictSame(await committedOffsets(set), before, 'the checker committed nothing')

  const event = seen.filter(({ topic }) => topic === topics.events).at(-1) as SourceRecord
  const { transaction, close } = await openWith(set, again([event]))
  const hung = await checkRun(source)
  t.strictSame(
    hung.totals.map(({ what, count }) => [what, count]),
    [['hung-transaction', 1]],
    'an open transaction is found, and nothing else',
  )
  await transaction.commit()
  await close()

  const end = (await readAll(topics.events)).filter(({ partition }) => partition === event.partition).at(-1) as SourceRecord
  const doubled = await checkRun(source)
  const positionsOf = (what: string) =>
    doubled.problems.filter((problem) => problem.what === what).map(({ positions }) => positions)
  t.strictSame(positionsOf('accounted-twice'), [[event.headers.origin, positionOf(event), positionOf(end)]], 'an event twice')
  t.strictSame(positionsOf('change-with-events'), [[positionOf(event), positionOf(end)]])
  t.strictSame(positionsOf('missed-by-other'), [[positionOf(end)]], 'the positions were read before')
  t.strictSame(positionsOf('not-consumed'), [[positionOf(end), `group ${groupId('merchant-sync', set.prefix)}`]])
  t.equal(doubled.problems.length, 4, 'and nothing else')
  t.strictSame([doubled.ok, doubled.doubled > 0, doubled.lost > 0], [false, true, true])
})

t.test('the command says it with its exit code: 0 in order, 1 broken, 2 when it cannot decide', async (t) => {
  const { set, source } = await smallRun(t)
  const { prefix, history, keys } = source
  const args = ['--brokers', brokers, '--prefix', prefix, '--history', history, '--keys', keys]

  const fine = await runChecker([...args, '--positions', source.positions])
  t.equal(fine.code, 0, fine.stderr)
  t.match(fine.stdout, /^raw \d+, events .*\n.*\nEvery promise held\.\n$/)

  const [raw] = (await readAll(set.topics.raw.bluepay)) as [SourceRecord]
  const producer = set.kafka.producer()
  await producer.connect()
  const altered = Buffer.from(raw.value as Buffer)
  altered[altered.length - 40] = (altered[altered.length - 40] as number) ^ 1
  await producer.send({ topic: raw.topic, messages: [{ ...raw, value: altered, timestamp: '0' }] })
  await producer.disconnect()
  const broken = await runChecker([...args, '--json'])
  t.equal(broken.code, 1)
  const report = JSON.parse(broken.stdout) as Report
  t.strictSame(
    report.totals.map(({ what, count }) => [what, count]),
    [
      ['raw-not-opened', 1],
      ['unaccounted', 1],
      ['not-consumed', 1],
    ],
    'a raw record with one other byte',
  )
  t.match((await runChecker(args)).stdout, /\nBROKEN: 2 lost, 0 doubled, 0 invented, 1 wrong\.\n$/)

  const without = await runChecker(args, { ...process.env, PATH: '/nonexistent' })
  t.equal(without.code, 2)
  t.match(without.stderr, /kcat is not installed.*apt-get install kcat/)
  const elsewhere = await runChecker([...args.slice(2), '--brokers', '127.0.0.1:1'])
  t.equal(elsewhere.code, 2)
  t.match(
    elsewhere.stderr,
    /^Nothing is decided: kcat ended with 1 while it read .*notifications\.alipayplus\.raw\.v1 from 127\.0\.0\.1:1: /,
  )
  t.equal((await runChecker([])).code, 2)
})
