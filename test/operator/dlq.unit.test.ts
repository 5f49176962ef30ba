import t from 'tap'
import { type DeadLetter, printable, shownKey, toDeadLetter } from '../../services/operator/dlq/dead-letter.ts'
import { redriven } from '../../services/operator/dlq/redrive.ts'
import { createSelection, matches, rangeOf, type SelectionOptions } from '../../services/operator/dlq/selection.ts'
import { pointInTime } from '../../services/operator/point-in-time.ts'
import { type StageName, stageNames, topicNames } from '../../shared/contracts/topics.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { processBatch } from '../../shared/stage/process-batch.ts'

const topics = topicNames('p.')
const now = Date.parse('2026-11-22T12:00:00Z')
const hourMs = 3_600_000
const acceptedAt = now - 10 * hourMs

const sourceOf: Record<StageName, string> = {
  normalizer: topics.raw.bluepay,
  deduplicator: topics.normalized,
  'merchant-sync': topics.events,
  'token-states': topics.events,
}
/** As the stage itself writes it, at an offset of the dead letter topic. */
async function letterOf(stage: StageName, offset: number, source: Partial<SourceRecord> = {}): Promise<DeadLetter> {
  const record = { topic: sourceOf[stage], partition: 3, offset: 41, timestamp: acceptedAt, ...source }
  const whole: SourceRecord = { key: Buffer.from('k'), value: Buffer.from('v'), headers: { account: 'shop' }, ...record }
  const decide = async () => [{ kind: 'dead-letter' as const, reason: 'not-json', detail: 'the text is not JSON' }]
  const buried = { name: stage, sources: [], outputs: [], deadLetters: topics.deadLetters[stage], step: { decide } }
  const batch = { topic: whole.topic, partition: whole.partition, records: [whole], begin: whole.offset, end: whole.offset + 1 }
  const { outputs } = await processBatch(buried, batch, '2026-11-22T11:00:00.000Z')
  const { topic, partition, headers } = outputs[0]!
  return toDeadLetter(stage, { ...whole, topic, partition, headers, offset })
}

const select = (options: SelectionOptions, positions: string[] = []) => createSelection(options, positions, topics, now)

t.test('a selection takes what it says, and reads no offset without need', async (t) => {
  const letter = await letterOf('normalizer', 17)
  const cases: [SelectionOptions, string[], boolean][] = [
    [{}, [], true],
    [{ reason: 'not-json' }, [], true],
    [{ reason: 'unreadable' }, [], false],
    [{ key: 'k' }, [], true],
    [{ key: 'K' }, [], false],
    [{ partition: 3 }, [], true],
    [{ partition: 2 }, [], false],
    [{ partition: 3, from: 17, to: 17 }, [], true],
    [{ partition: 3, from: 18 }, [], false],
    [{ partition: 3, to: 16 }, [], false],
    [{ since: pointInTime('1h') }, [], true],
    [{ since: pointInTime('59m') }, [], false],
    [{ since: pointInTime('2026-11-22T11:00:00Z') }, [], true],
    [{ until: pointInTime('2026-11-22T11:00:00Z') }, [], false],
    [{ until: pointInTime('2026-11-22T11:00:00.001Z') }, [], true],
    [{ since: pointInTime('2026-11-22T19:00+08:00'), until: pointInTime('2026-11-23T00:00Z') }, [], true],
    [{}, ['p.normalizer.dlq.v1/3/17'], true],
    [{}, ['p.normalizer.dlq.v1/3/16', 'p.normalizer.dlq.v1/3/18'], false],
    [{}, ['p.deduplicator.dlq.v1/3/17'], false],
    [{ after: 'p.normalizer.dlq.v1/3/16' }, [], true],
    [{ after: 'p.normalizer.dlq.v1/3/17' }, [], false],
    [{ after: 'p.normalizer.dlq.v1/2/900' }, [], true],
    [{ after: 'p.deduplicator.dlq.v1/0/0' }, [], false],
  ]
  for (const [options, positions, expected] of cases) {
    const selection = select(options, positions)
    const [from, to] = rangeOf(selection, { stage: 'normalizer', partition: 3, low: 5, high: 40 })
    const what = JSON.stringify([options, positions])
    t.equal(selection.stages.includes('normalizer') && matches(letter, selection), expected, what)
    t.ok(from >= 5 && to <= 40 && from <= to, `${what}: within the log`)
    if (expected) t.ok(from <= 17 && to > 17, `${what}: is read`)
  }
  const narrow = select({}, ['p.normalizer.dlq.v1/3/17', 'p.normalizer.dlq.v1/3/19'])
  t.same(rangeOf(narrow, { stage: 'normalizer', partition: 3, low: 5, high: 4_000 }), [17, 20])
  t.same(rangeOf(narrow, { stage: 'normalizer', partition: 2, low: 5, high: 4_000 }), [5, 5])
  t.same(narrow.stages, ['normalizer'])
  t.same(select({}).stages, stageNames)
})

t.test('what is no position of a dead letter is refused', async (t) => {
  for (const position of [
    'p.normalizer.dlq.v1/3',
    'normalizer.dlq.v1/3/17',
    'p.token-events.v1/3/17',
    'p.normalizer.dlq.v1/x/1',
    '',
  ])
    t.throws(() => select({}, [position]), { message: /no position of a dead letter, such as p\.normalizer/ }, position)
  t.throws(() => select({ from: 3 }), /give --partition too/)
})

const rules = { topics, windowMs: 72 * hourMs, now }

t.test('a redriven record is what fell out: its key, value, headers, time and place, and whose redrive it is', async (t) => {
  const first = redriven(await letterOf('normalizer', 17), rules)
  const expected = {
    deadLetter: 'p.normalizer.dlq.v1/3/17',
    topic: topics.raw.bluepay,
    partition: 3,
    timestamp: acceptedAt,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: { account: 'shop', 'redrive-of': 'p.normalizer.dlq.v1/3/17' },
  }
  t.strictSame(first, expected)
  const again = await letterOf('normalizer', 21, { headers: expected.headers, offset: 50 })
  t.equal(again.origin, `${topics.raw.bluepay}/3/50`, 'dead again, it is counted by its own position')
  t.match(redriven(again, rules), { headers: { account: 'shop', 'redrive-of': 'p.normalizer.dlq.v1/3/21' } })

  const origin = `${topics.raw.bluepay}/3/41`
  const second = await letterOf('deduplicator', 2, { headers: { ce_id: '7', origin } })
  t.equal(second.origin, origin)
  t.match(redriven(second, rules), { topic: topics.normalized, partition: 3, timestamp: acceptedAt })
  t.strictSame((redriven(second, rules) as { headers: object }).headers, {
    ce_id: '7',
    'redrive-of': 'p.deduplicator.dlq.v1/3/2',
  })

  const empty = await letterOf('deduplicator', 3, { key: null, value: null, headers: {} })
  t.match(redriven(empty, rules), { key: null, value: null }, 'also one without key and value')
})

t.test('refused: older than the window, on the public topic already, and whatever a stage did not write', async (t) => {
  const old = await letterOf('normalizer', 1, { timestamp: now - 72 * hourMs - 1 })
  t.match(redriven(old, rules), { refused: /accepted at .*longer ago than the 72 hours/ })
  t.notMatch(redriven(await letterOf('normalizer', 1, { timestamp: now - 72 * hourMs }), rules), { refused: String })
  t.match(redriven(await letterOf('merchant-sync', 1), rules), { refused: /on p\.token-events\.v1 already/ })
  for (const topic of [topics.merchants, topics.audit, topics.events, topics.normalized, 'elsewhere', ''])
    t.match(redriven(await letterOf('normalizer', 1, { topic }), rules), { refused: /did not write it/ }, topic)
  const moved = await letterOf('normalizer', 1)
  moved.from.partition = '4'
  t.match(redriven(moved, rules), { refused: /did not write it/ }, 'another partition')
})

t.test('keys and texts that are not ours do nothing to a terminal', async (t) => {
  t.equal(shownKey(Buffer.from('0123456789abcdef0123456789abcdef')), '0123456789abcdef0123456789abcdef')
  t.equal(shownKey(Buffer.from('eyJhbGciOi')), '(10 bytes, not ours)')
  t.equal(shownKey(null), '-')
  t.equal(printable('a\u001b[31mb\u202ec\nd\u009be'), 'a\\u{1b}[31mb\\u{202e}c\\u{a}d\\u{9b}e')
})
