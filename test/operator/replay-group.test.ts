/** A downstream team's consumer group, reset while it is stopped and refused while it runs. */
import t from 'tap'
import { groupId } from '../../shared/contracts/topics.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { openGroups } from '../../shared/kafka/groups.ts'
import { readAll } from '../support/read-topic.ts'
import { createTopicSet, testKafka, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { operator } from './operator-under-test.ts'

type Document = { error?: string; unsure: string[]; changed: number; moves: Move[] }
type Move = { topic: string; partition: number; from?: number; to: number; lagBefore: number; lagAfter: number }

const minuteMs = 60_000
/** Within retention, and long ago enough to be no present. */
const firstAt = Math.floor(Date.now() / minuteMs - 120) * minuteMs
const isoAt = (minute: number) => new Date(firstAt + minute * minuteMs).toISOString()

t.test('replay group', async (t) => {
  const set = await createTopicSet(t, { partitions: 2 })
  const { topics, prefix, kafka } = set
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: prefix }
  const group = `${prefix}team-ledger`
  const reset = async (...args: string[]) => {
    const { code, json } = await operator(['replay', 'group', '--json', ...args], { env })
    return { code, document: json() as Document }
  }
  const groups = await openGroups(kafka)
  t.teardown(groups.close)
  const committed = async () => [...((await groups.committed(group)).get(topics.events) ?? [])].sort()

  // 20 events a minute apart, in turn over both partitions.
  await appendRecords(
    kafka,
    Array.from({ length: 20 }, (_, n) => {
      const partition = n % 2
      return { topic: topics.events, partition, key: 'k', value: String(n), timestamp: firstAt + n * minuteMs }
    }),
  )

  const consumer = testKafka('ledger').consumer({ groupId: group })
  t.teardown(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: [topics.events], fromBeginning: true })
  await consumer.run({ autoCommitThreshold: 1, eachMessage: async () => {} })
  await waitFor('the group to have read everything', async () => {
    const offsets = await committed()
    return offsets.length === 2 && offsets.every(([, offset]) => offset === 10)
  })

  await t.test('is refused while the group has members, and says which', async (t) => {
    const { code, document } = await reset('--group', group, '--to-earliest')
    t.equal(code, 1)
    t.match(document.error, /is running \(Stable\).*ledger \(\/.*Nothing was changed/)
    t.strictSame(await committed(), [
      [0, 10],
      [1, 10],
    ])
  })
  await consumer.disconnect()

  await t.test('a dry run shows from, to and the lag each way, and changes nothing', async (t) => {
    const time = isoAt(12)
    const { code, document } = await reset('--group', group, '--to-time', time, '--dry-run')
    t.equal(code, 0)
    const move = { topic: topics.events, from: 10, to: 6, lagBefore: 0, lagAfter: 4 }
    t.strictSame(document.moves, [
      { ...move, partition: 0 },
      { ...move, partition: 1 },
    ])
    t.equal(document.changed, 2)
    t.match(await committed(), [
      [0, 10],
      [1, 10],
    ])
    t.strictSame(await readAll(topics.audit), [])
  })

  await t.test('sets what it says, by time, by offsets, to the beginning and to the end', async (t) => {
    const cases: [string[], number[]][] = [
      [
        ['--to-time', isoAt(12)],
        [6, 6],
      ],
      [
        ['--to-offsets', `${topics.events}/1/3`],
        [6, 3],
      ],
      [['--to-earliest'], [0, 0]],
      [
        ['--to-latest', '--topic', topics.events],
        [10, 10],
      ],
    ]
    for (const [args, expected] of cases) {
      const { code, document } = await reset('--group', group, ...args)
      t.equal(code, 0, document.error ?? args.join(' '))
      t.strictSame(
        (await committed()).map(([, offset]) => offset),
        expected,
      )
    }
    const audited = (await readAll(topics.audit)).map(({ value }) => JSON.parse(String(value)))
    t.equal(audited.length, cases.length)
    t.match(audited[1], {
      who: 'tester@here',
      command: 'replay group',
      changes: { group, moves: [{ topic: topics.events, partition: 1, from: 6, to: 3 }] },
    })
  })

  await t.test('what it cannot do is refused with the reason, and changes nothing', async (t) => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.fetchTopicOffsets(topics.events)
    await admin.deleteTopicRecords({ topic: topics.events, partitions: [{ partition: 0, offset: '4' }] })
    await admin.disconnect()
    const before = await committed()
    const cases: [string[], number, RegExp][] = [
      [['--group', group, '--to-offsets', `${topics.events}/0/2`], 1, /\/0 begins at 4: offsets 2 to 3 left retention/],
      [['--group', group, '--to-offsets', `${topics.events}/0/11`], 1, /\/0 ends at 10: 11 is not there yet/],
      [['--group', group, '--to-offsets', `${topics.events}/7/0`], 1, /has no partition 7/],
      [['--group', group, '--to-offsets', 'events'], 2, /events is no position/],
      [['--group', group, '--to-time', '31d'], 1, new RegExp(`/0: offsets up to 3, accepted before ${isoAt(8)}, left retention`)],
      [['--group', group], 2, /Say where to/],
      [['--group', group, '--to-latest', '--to-earliest'], 2, /Say where to: one of/],
      [['--group', `${prefix}team-legder`, '--to-latest'], 2, /has committed nothing: is it written right/],
      [['--group', groupId('deduplicator', prefix), '--to-earliest'], 2, /own deduplicator.*stops/],
    ]
    for (const [args, code, error] of cases) {
      const refused = await reset(...args)
      t.equal(refused.code, code, args.join(' '))
      t.match(refused.document.error, error)
    }
    t.strictSame(await committed(), before)
    const unsure = [
      `${topics.events}/0: offsets up to 3, accepted before ${isoAt(8)}, were deleted; whether any was of this range cannot be told`,
    ]
    t.strictSame((await reset('--group', group, '--to-time', isoAt(0), '--dry-run')).document.unsure, unsure)
    t.equal((await reset('--group', group, '--to-earliest')).code, 0)
    t.strictSame(await committed(), [
      [0, 4],
      [1, 0],
    ])
  })

  await t.test('a new group begins where it is told to', async (t) => {
    const fresh = `${prefix}team-new`
    t.equal((await reset('--group', fresh, '--topic', topics.events, '--to-latest')).code, 0)
    t.strictSame([...((await groups.committed(fresh)).get(topics.events) ?? [])].sort(), [
      [0, 10],
      [1, 10],
    ])
  })
})
