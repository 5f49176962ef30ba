/**
 * The release check on the fixtures: what today's code makes of each notification, beside what is expected of it, in the words in which
 * `operator replay plan` tells what it finds in a real topic. And the parts of a replay that need no Kafka.
 */
import t from 'tap'
import { compare } from '../../services/operator/replay/side-compare.ts'
import type { Cursor } from '../../services/operator/replay/side-cursor.ts'
import { createJudge, type Ending } from '../../services/operator/replay/side-ending.ts'
import { inLiveOrder } from '../../services/operator/replay/side-slots.ts'
import { createTally, findingLines } from '../../services/operator/replay/side-tally.ts'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { Duplicate } from '../../shared/contracts/types.ts'
import { positionOf, type SourceRecord } from '../../shared/kafka/record.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { type Expected, fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'

const topics = topicNames()
const keys = loadTestKeys(t.testdir())
const normalizer = {
  opener: createRawOpener(keys.rawPrivate),
  sealer: createCredentialSealer(keys.credentials),
  identity: keys.identity,
  topics,
}
const range = { topic: topics.raw.alipayplus, partition: 3, from: 0, to: fixtures.length }
type Members = Record<string, unknown>

/** Every fixture judged today, beside what is expected of it. */
function releaseCheck(expectedOf = (_name: string, expected: Expected) => expected) {
  const { judge } = createJudge({ topics, windowMs: 1, normalizer })
  const tally = createTally(20)
  fixtures.forEach((fixture, offset) => {
    const raw = rawRecord(fixture, keys, { offset })
    const today = judge({ raw })
    const live = publicEnding(expectedOf(fixture.name, fixture.expected), today)
    tally.add({ origin: positionOf(raw), today, live, certain: true, wanted: true, range, next: offset + 1 })
  })
  return { findings: tally.findings, text: findingLines(tally.findings).join('\n') }
}

/** As the public topic has it. The seal is today's: what it holds is held against the fixtures elsewhere. */
function publicEnding(expected: Expected, today: Ending): Ending {
  if ('deadLetter' in expected) return { kind: 'dead-letter', stage: 'normalizer', reason: expected.deadLetter.reason }
  if (today.kind !== 'event') throw new Error('an event was expected')
  const event = JSON.parse(String(today.record.value)) as Members
  const value = Buffer.from(JSON.stringify(inOrderOf(event, { ...expected.event, sealed: event.sealed })))
  return { kind: 'event', record: { ...today.record, value } }
}

/** The expected members as the event has them: the files list them in an order of their own. */
function inOrderOf(model: Members, members: Members): Members {
  const names = [...Object.keys(model), ...Object.keys(members)].filter((name) => members[name] !== undefined)
  const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value)
  const ordered = (name: string) => {
    const [like, member] = [model[name], members[name]]
    return isObject(like) && isObject(member) ? inOrderOf(like, member) : member
  }
  return Object.fromEntries([...new Set(names)].map((name) => [name, ordered(name)]))
}

t.test('release check: today’s code makes of each fixture what is expected', async (t) => {
  const { findings, text } = releaseCheck()
  t.strictSame(findings.counts, { same: fixtures.length, changed: 0, new: 0, gone: 0 }, text)
})

t.test('release check: what would change is told member by member', async (t) => {
  const name = 'alipayplus/token-created'
  const planted = (of: string, expected: Expected): Expected => {
    if (of === 'bluepay/dead-other-event') return { deadLetter: { reason: 'not-json' } }
    if (of !== name || !('event' in expected)) return expected
    const { event, ...rest } = expected
    const token = { ...event.token!, status: 'inactive' as const }
    const { pspId: _pspId, ...others } = event
    return { ...rest, event: { ...others, token, customerRef: '0'.repeat(32) } }
  }
  const { findings, text } = releaseCheck(planted)
  t.strictSame(findings.counts, { same: fixtures.length - 2, changed: 2, new: 0, gone: 0 })
  const [changed, dead] = [name, 'bluepay/dead-other-event'].map((of) => fixtures.findIndex((fixture) => fixture.name === of))
  t.match(
    text,
    [
      `changed: ${topics.raw.alipayplus}/3/${changed}: event`,
      '  customerRef differs',
      '  pspId: (none) → "1021234567891230002"',
      '  token.status: "inactive" → "active"',
      `changed: ${topics.raw.bluepay}/3/${dead}: dead letter of the normalizer: not-json → dead letter of the normalizer: unknown-type`,
    ].join('\n'),
  )
  t.notMatch(text, '0'.repeat(32), 'what stands for a person is not shown')
})

const duplicate = (of: Partial<Duplicate>): Ending => ({
  kind: 'duplicate',
  duplicate: { eventId: 'e', origin: 'raw/0/1', position: 'log/0/9', holder: 'log/0/3', conflict: false, ...of },
})
const event = (over: object): Ending => ({
  kind: 'event',
  record: { key: Buffer.from('k'), value: Buffer.from('{"late":false}'), headers: { a: '1' }, timestamp: 5, ...over },
})

t.test('duplicates are the same whichever copy they name; of one holder, a conflict makes a difference', async (t) => {
  t.match(compare(duplicate({}), duplicate({ holder: 'log/0/5', conflict: true })), { finding: 'same' })
  t.match(compare(duplicate({ conflict: true }), duplicate({})), { finding: 'changed', fields: [{ field: 'conflict' }] })
  t.match(compare(duplicate({ eventId: 'f' }), duplicate({})), { finding: 'changed', fields: [{ field: 'eventId' }] })
})

t.test('of an event every byte counts: key, headers, timestamp, and how the value is written', async (t) => {
  t.match(compare(event({}), event({})), { finding: 'same', fields: [] })
  const fields = (over: object) => compare(event(over), event({})).fields.map(({ field }) => field)
  t.strictSame(fields({ key: Buffer.from('l') }), ['(key)'])
  t.strictSame(fields({ timestamp: 6 }), ['(timestamp)'])
  t.strictSame(fields({ headers: { a: '2', b: '1' } }), ['(header a)', '(header b)'])
  t.strictSame(fields({ value: Buffer.from('{"late": false}') }), ['(order or spelling of members)'])
  t.strictSame(compare(event({ value: Buffer.from('{"late":false,"nickname":"Jo"}') }), event({})).fields, [
    { field: 'nickname' },
  ])
  t.match(compare(event({}), duplicate({})), { finding: 'new', fields: [{ public: 'duplicate', replay: 'event' }] })
  t.match(compare(duplicate({}), event({})), { finding: 'gone' })
})

const at = (topic: string, offset: number, headers = {}): SourceRecord => ({
  ...{ topic, partition: 0, offset, timestamp: offset, key: null, value: null, headers },
})

function cursorOf(records: SourceRecord[]): Cursor {
  let next = 0
  return { head: async () => records[next], take: () => void next++, close: async () => {} }
}

t.test('a replay follows the normalized topic; what is not there comes before the next of its own topic', async (t) => {
  const normalized = [
    ['a', 0],
    ['b', 0],
    ['b', 1],
    ['a', 2],
    ['c', 7],
    ['b', 2],
  ].map(([topic, offset], index) => at('normalized', index, { [header.origin]: `${topic}/0/${offset}` }))
  const raws = new Map(
    Object.entries({ a: [0, 1, 2, 3], b: [1, 2] }).map(([topic, offsets]) => [topic, cursorOf(offsets.map((n) => at(topic, n)))]),
  )
  const order: string[] = []
  for await (const { normalized: record, raw } of inLiveOrder(cursorOf(normalized), raws))
    order.push(`${record?.offset ?? '-'} ${raw ? positionOf(raw) : '-'}`)
  t.strictSame(order, ['0 a/0/0', '1 -', '2 b/0/1', '- a/0/1', '3 a/0/2', '4 -', '5 b/0/2', '- a/0/3'])
})
