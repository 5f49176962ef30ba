import t from 'tap'
import { parseOffsets } from '../../services/operator/replay/find-ranges.ts'
import { copyOf } from '../../services/operator/replay/in-place.ts'
import { applyRecord, type Job, type JobEntry, type JobSpec, silentAfterMs } from '../../services/operator/replay/jobs.ts'
import { createPace } from '../../services/operator/replay/pace.ts'
import { offsetsDone, rangesOf } from '../../services/operator/replay/run-job.ts'
import { remaining } from '../../services/operator/replay/scope.ts'
import { createMatch } from '../../services/operator/replay/sync-again.ts'
import { tokenEventHeaders } from '../../shared/contracts/cloud-event.ts'
import { header } from '../../shared/contracts/headers.ts'
import { createRegistry } from '../../shared/contracts/registry.ts'
import { operator } from './operator-under-test.ts'

const raw = { topic: 'notifications.bluepay.raw.v1', partition: 3 }
const where = 'notifications.bluepay.raw.v1/3'
const spec: JobSpec = {
  target: 'in-place',
  scope: { source: 'raw', ranges: [{ ...raw, from: 10, to: 20 }] },
  sync: { merchants: ['M-1'], ranges: [{ topic: 'token-events.v1', partition: 3, from: 0, to: 5 }] },
  windowHours: 72,
}

t.test('offsets are a partition, one offset, or the first and the last', async (t) => {
  t.same(parseOffsets(where), raw)
  t.same(parseOffsets(`${where}/17`), { ...raw, first: 17, last: 17 })
  t.same(parseOffsets(`${where}/17-42`), { ...raw, first: 17, last: 42 })
  for (const wrong of ['', 'topic', `${where}/`, `${where}/17-`, `${where}/42-17`, `${where}/a`])
    t.throws(() => parseOffsets(wrong), { message: /: offsets are topic/ }, wrong)
})

t.test('a replay goes on where it was told to have been', async (t) => {
  const ranges = rangesOf(spec)
  t.same(remaining(ranges, {}), ranges)
  const done = { [where]: 20, 'token-events.v1/3': 2 }
  t.same(remaining(ranges, done), [{ topic: 'token-events.v1', partition: 3, from: 2, to: 5 }])
  t.equal(offsetsDone(ranges, done), 12)
  const events: JobSpec = { ...spec, scope: { source: 'events', ranges: [] } }
  t.same(rangesOf(events), spec.sync?.ranges, 'of events in place only syncs are written')
})

t.test('the trail tells what became of a replay, and who may go on with it', async (t) => {
  const jobs = new Map<string, Job>()
  const tell = (at: number, entry: object) => applyRecord(jobs, { at, who: 'ada', entry: { replay: 'r', ...entry } as JobEntry })
  const job = () => jobs.get('r')
  const told = (phase: string, run: string, written: number) => ({ phase, run, written, done: { [where]: 10 + written } })

  tell(0, told('progress', 'a', 1))
  t.equal(job(), undefined, 'nothing can be told of what was not begun')
  tell(1, { phase: 'start', run: 'a', job: spec })
  tell(2, { phase: 'start', run: 'b', job: spec })
  t.match(job(), { run: 'a', state: 'running', startedBy: 'ada', startedAt: 1 }, 'an id is used once')
  tell(3, told('progress', 'a', 4))
  tell(4, { phase: 'resume', run: 'b' })
  t.match(job(), { run: 'a', written: 4, done: { [where]: 14 } }, 'what runs is not taken over')
  tell(5, { phase: 'stop' })
  t.match(job(), { stopAsked: true, state: 'running' })
  tell(6, told('stopped', 'a', 5))
  tell(7, told('progress', 'a', 4))
  t.match(job(), { state: 'stopped', written: 5, done: { [where]: 15 } }, 'a word that comes late changes nothing')

  tell(8, { phase: 'resume', run: 'b' })
  tell(9, { phase: 'resume', run: 'c' })
  t.match(job(), { run: 'b', state: 'running', stopAsked: false }, 'of two that go on the first one does')
  tell(10, told('failed', 'b', 2))
  t.match(job(), { state: 'failed', written: 7 })

  tell(11, { phase: 'resume', run: 'd' })
  tell(11 + silentAfterMs, { phase: 'resume', run: 'e' })
  t.match(job(), { run: 'd' })
  tell(12 + silentAfterMs, { phase: 'resume', run: 'e' })
  t.match(job(), { run: 'e', state: 'running' }, 'a dead process loses it')
  tell(13 + silentAfterMs, told('ended', 'd', 9))
  t.match(job(), { state: 'running' }, 'and is not listened to any more')
  tell(14 + silentAfterMs, told('ended', 'e', 3))
  tell(15 + silentAfterMs, { phase: 'resume', run: 'f' })
  t.match(job(), { state: 'ended', run: 'e', written: 10 })
})

const value = Buffer.from('sealed')
const record = { ...raw, offset: 17, timestamp: 1, key: Buffer.from('k'), value, headers: { account: 'shop' } }

t.test('a copy is the record with replay-id; one that the window has overtaken ends the replay', async (t) => {
  const { key, headers } = record
  t.same(copyOf(record, 'copy', 'r', 72), [{ ...raw, key, value, headers: { ...headers, [header.replayId]: 'r' } }])
  for (const verdict of ['not-selected', 'earlier-copy', 'dead-letter'] as const) t.same(copyOf(record, verdict, 'r', 72), [])
  t.throws(() => copyOf(record, 'too-old', 'r', 72), { message: new RegExp(`^${where}/17: Accepted more than 71 hours ago`) })
})

t.test('syncs again: only of the range, only for those who are named, only what they want', async (t) => {
  const event = {
    ...{ eventId: 'e'.repeat(32), type: 'token.created', late: false, provider: 'bluepay', account: 'shop', merchantId: 'M-1' },
    ...{ times: { receivedAt: '2026-11-22T05:00:00.000Z', zoneAssumed: false }, raw: { type: 'token.create.success' } },
    token: { ref: 'a'.repeat(32), status: 'active' },
  }
  const headers = { ...tokenEventHeaders(event as never), [header.origin]: `${where}/17` }
  const eventRecord = {
    ...record,
    topic: 'token-events.v1',
    offset: 2,
    key: Buffer.from('a'.repeat(32)),
    value: Buffer.from(JSON.stringify(event)),
    headers,
  }
  const registry = createRegistry()
  const subscriptions = [
    { id: 'all', enabled: true },
    { id: 'off', enabled: false },
  ]
  const entry = { merchantId: 'M-1', subscriptions }
  registry.apply({ offset: 7, key: Buffer.from('M-1'), value: Buffer.from(JSON.stringify(entry)) })
  const keysOf = (scope: Partial<JobSpec['scope']>, merchants = ['M-1']) =>
    createMatch({ ...spec.scope, ...scope }, registry, merchants)(eventRecord).map(({ headers }) => headers[header.id])
  const expected = [`${event.eventId}.M-1.all`]
  t.same(keysOf({}), expected)
  t.same(keysOf({}, ['M-2']), [])
  t.same(keysOf({ ranges: [{ ...raw, from: 18, to: 20 }] }), [], 'its origin is not in the range')
  t.same(keysOf({ source: 'events', ranges: [] }), expected)
  t.same(keysOf({ token: 'a'.repeat(32), merchant: 'M-1', since: 1, until: 2 }), expected)
  t.same(keysOf({ token: 'b'.repeat(32) }), [])
  t.same(keysOf({ merchant: 'M-2' }), [])
  t.same(keysOf({ since: 2 }), [])
  t.same(keysOf({ until: 1 }), [])
})

t.test('the pace: at most so many a second, at once when stopped', async (t) => {
  const stop = new AbortController()
  const pace = createPace(100, stop.signal)
  t.equal(pace.atOnce, 10)
  const begun = performance.now()
  for (let round = 0; round < 4; round++) await pace.wait(5)
  t.ok(performance.now() - begun >= 145, 'the fourth five wait for the three before them')
  const waiting = pace.wait(100_000).then(() => pace.wait(1))
  stop.abort()
  await waiting
  t.equal(createPace(1, stop.signal).atOnce, 1)
  t.equal(createPace(undefined, stop.signal).atOnce, 1_000)
})

t.test('what cannot be meant is a wrong command line, before anything is read', async (t) => {
  const env = { KAFKA_BROKERS: '127.0.0.1:1' }
  const wrong = [
    ['replay', 'run', '--in-place', '--sync', 'M-1'],
    ['replay', 'run', '--in-place', '--source', 'tokens'],
    ['replay', 'run', '--id', '../x', '--in-place', '--all'],
    ['replay', 'plan', '--since', 'yesterday'],
    ['replay', 'group', '--to-latest'],
    ['replay', 'stop'],
  ]
  for (const args of wrong) t.equal((await operator(args, { env })).code, 2, args.join(' '))
})
