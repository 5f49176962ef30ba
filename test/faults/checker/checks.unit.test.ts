/** A run that keeps every promise has no problem; each fault planted in it is found, by its name and its place. */
import t from 'tap'
import { decideRun } from './check-run.ts'
import { type Kind, kinds, type Problem } from './problems.ts'
import { at, type EventRecord, type Place, type Run } from './run.ts'
import { syntheticRun } from './synthetic-run.ts'
import { topicNames } from './topic-names.ts'

const topics = topicNames('')

/** Breaks the run and returns the positions that must be named, all in one problem of that kind. */
type Plant = (run: Run) => string[]
type Planted = { kind: Kind; name: string; plant: Plant }

const pick = <T>(list: T[], is: (item: T) => boolean = () => true): T => {
  const item = list.find(is)
  if (item === undefined) throw new Error('the made-up run has no such record')
  return item
}
const remove = <T>(list: T[], item: T): T => list.splice(list.indexOf(item), 1)[0] as T
/** The same record again, at the end of its partition. */
function repeat<T extends Place>(list: T[], record: T): T {
  const offset = 1 + Math.max(...list.filter(({ partition }) => partition === record.partition).map(({ offset }) => offset))
  const copy = { ...record, offset }
  list.push(copy)
  return copy
}
const swap = <T extends Place>(list: T[], one: T, other: T) => {
  const [first, second] = [list.indexOf(one), list.indexOf(other)]
  const offset = one.offset
  one.offset = other.offset
  other.offset = offset
  list[first] = other
  list[second] = one
}
const rawOf = (run: Run, { origin }: { origin: string }) => pick(run.raw, (raw) => at(raw) === origin)
const normalizedOf = (run: Run, origin: string) => pick(run.normalized, (record) => record.origin === origin)
const eventOf = (run: Run, eventId: string) => pick(run.events, (event) => event.eventId === eventId)
const syncsOf = (run: Run, event: EventRecord) => run.syncs.filter(({ eventId }) => eventId === event.eventId)
/** An event with so many syncs. */
const eventWith = (run: Run, syncs: number, is: (event: EventRecord) => boolean = () => true) =>
  pick(run.events, (event) => syncsOf(run, event).length === syncs && is(event))
const onlyOfM0 = ({ merchantId, authClientId }: EventRecord) => merchantId === 'M-0' && !authClientId

const planted: Planted[] = [
  {
    kind: 'acknowledged-not-kept',
    name: 'a raw record is gone that was acknowledged',
    plant: (run) => {
      const raw = rawOf(
        run,
        pick(run.events, ({ type }) => type === 'token.canceled'),
      )
      remove(run.raw, raw)
      return [`attempt ${pick(run.attempts, ({ sha256 }) => sha256 === raw.sha256).n}`]
    },
  },
  {
    kind: 'acknowledged-not-kept',
    name: 'two attempts with the same bytes were acknowledged, one is kept',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      const raw = remove(run.raw, rawOf(run, duplicate))
      const acknowledged = run.attempts.filter(({ sha256, outcome }) => sha256 === raw.sha256 && outcome === 'acknowledged')
      return acknowledged.map(({ n }) => `attempt ${n}`)
    },
  },
  {
    kind: 'raw-not-opened',
    name: 'a byte of a raw record was altered',
    plant: (run) => {
      const raw = pick(run.raw)
      delete raw.sha256
      return [at(raw)]
    },
  },
  {
    kind: 'raw-never-sent',
    name: 'a raw record was invented',
    plant: (run) => [at(repeat(run.raw, { ...pick(run.raw), sha256: 'f'.repeat(64) }))],
  },
  {
    kind: 'unreadable',
    name: 'a record is no JSON',
    plant: (run) => {
      run.unreadable.push(pick(run.events))
      return [at(pick(run.events))]
    },
  },
  {
    kind: 'unaccounted',
    name: 'an event is lost',
    plant: (run) => [remove(run.events, pick(run.events)).origin],
  },
  {
    kind: 'unaccounted',
    name: 'a duplicate is lost',
    plant: (run) => [remove(run.duplicates, pick(run.duplicates)).origin],
  },
  {
    kind: 'accounted-twice',
    name: 'an event is doubled',
    plant: (run) => {
      const event = pick(run.events)
      return [event.origin, at(event), at(repeat(run.events, event))]
    },
  },
  {
    kind: 'accounted-twice',
    name: 'a dead letter is doubled',
    plant: (run) => {
      const letter = pick(run.deadLetters)
      return [letter.origin, at(letter), at(repeat(run.deadLetters, letter))]
    },
  },
  {
    kind: 'normalized-twice',
    name: 'a normalized record is doubled',
    plant: (run) => [at(repeat(run.normalized, pick(run.normalized)))],
  },
  {
    kind: 'normalized-twice',
    name: 'a dead letter of the normalizer went on all the same',
    plant: (run) => {
      const { origin } = pick(run.deadLetters)
      const normalized = repeat(run.normalized, { ...pick(run.normalized), origin })
      return [origin, at(normalized)]
    },
  },
  {
    kind: 'never-normalized',
    name: 'an event of an aborted normalization',
    plant: (run) => {
      const event = pick(run.events)
      remove(run.normalized, normalizedOf(run, event.origin))
      return [event.origin, at(event)]
    },
  },
  {
    kind: 'origin-unknown',
    name: 'a phantom event of a raw record that is not there',
    plant: (run) => {
      const origin = `${topics.raw.bluepay}/0/99999`
      return [at(repeat(run.events, { ...pick(run.events), origin })), origin]
    },
  },
  {
    kind: 'origin-unknown',
    name: 'an event whose origin is a position of another topic',
    plant: (run) => {
      const event = pick(run.events)
      event.origin = at(pick(run.normalized))
      return [at(event), event.origin]
    },
  },
  {
    kind: 'partition-changed',
    name: 'a duplicate on another partition number',
    plant: (run) => {
      const duplicate = pick(run.duplicates, ({ partition }) => partition === 0)
      duplicate.partition = 1
      return [at(duplicate), duplicate.origin]
    },
  },
  {
    kind: 'change-without-event',
    name: 'every copy of a change became a duplicate',
    plant: (run) => {
      const event = remove(
        run.events,
        pick(run.events, ({ type }) => type === 'token.created'),
      )
      return [event.origin, ...run.duplicates.filter(({ eventId }) => eventId === event.eventId).map(({ origin }) => origin)]
    },
  },
  {
    kind: 'change-with-events',
    name: 'a second copy became an event too',
    plant: (run) => {
      const { origin, eventId } = remove(run.duplicates, pick(run.duplicates))
      const event = eventOf(run, eventId)
      return [at(event), at(repeat(run.events, { ...event, origin }))]
    },
  },
  {
    kind: 'event-not-first',
    name: 'a later copy became the event, the first one its duplicate',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      const event = eventOf(run, duplicate.eventId)
      const first = event.origin
      event.origin = duplicate.origin
      duplicate.origin = first
      return [at(event), at(normalizedOf(run, first))]
    },
  },
  {
    kind: 'event-altered',
    name: 'an event with the content of another',
    plant: (run) => {
      const event = pick(run.events)
      event.content = 'another'
      return [at(event)]
    },
  },
  {
    kind: 'event-altered',
    name: 'the event of a change carries the event id of another',
    plant: (run) => {
      const event = pick(run.events)
      event.eventId = pick(run.events, ({ eventId }) => eventId !== event.eventId).eventId
      return [at(event), at(normalizedOf(run, event.origin))]
    },
  },
  {
    kind: 'change-apart',
    name: 'copies of one change on two partitions',
    plant: (run) => {
      const record = normalizedOf(run, pick(run.duplicates, ({ partition }) => partition === 0).origin)
      record.partition = 1
      return [at(record)]
    },
  },
  {
    kind: 'event-ids-of-change',
    name: 'a copy got an event id of its own',
    plant: (run) => {
      const record = normalizedOf(run, pick(run.duplicates).origin)
      record.eventId = '0'.repeat(32)
      return [at(record)]
    },
  },
  {
    kind: 'changes-of-event-id',
    name: 'two changes were merged into one event id',
    plant: (run) => {
      const [event, other] = run.events as [EventRecord, EventRecord]
      const record = normalizedOf(run, other.origin)
      record.eventId = event.eventId
      return [at(record), at(normalizedOf(run, event.origin))]
    },
  },
  {
    kind: 'odd-not-dead',
    name: 'something that nobody can understand became an event',
    plant: (run) => {
      const { origin } = remove(run.deadLetters, pick(run.deadLetters))
      return [at(repeat(run.events, { ...pick(run.events), origin })), origin]
    },
  },
  {
    kind: 'dead-not-odd',
    name: 'a proper notification became a dead letter',
    plant: (run) => {
      const { origin } = remove(run.duplicates, pick(run.duplicates))
      const stage = 'deduplicator' as const
      run.deadLetters.push({ topic: topics.deadLetters.deduplicator, partition: 0, offset: 0, origin, stage })
      return [`${topics.deadLetters.deduplicator}/0/0`, origin]
    },
  },
  {
    kind: 'sync-missing',
    name: 'one of two syncs is lost',
    plant: (run) => {
      const event = eventWith(run, 2)
      const sync = remove(run.syncs, syncsOf(run, event)[1] as (typeof run.syncs)[0])
      return [at(event), sync.syncId]
    },
  },
  {
    kind: 'sync-missing',
    name: 'all syncs of an event are lost',
    plant: (run) => {
      const event = eventWith(run, 1)
      const sync = remove(run.syncs, syncsOf(run, event)[0] as (typeof run.syncs)[0])
      return [at(event), sync.syncId]
    },
  },
  {
    kind: 'sync-doubled',
    name: 'a sync is doubled',
    plant: (run) => {
      const sync = pick(run.syncs)
      return [at(sync), at(repeat(run.syncs, sync))]
    },
  },
  {
    kind: 'sync-not-wanted',
    name: 'a sync for a subscription that does not want the event',
    plant: (run) => {
      const sync = pick(run.syncs)
      const extra = repeat(run.syncs, { ...sync, syncId: `${sync.eventId}.M-2.off` })
      return [at(extra), extra.syncId]
    },
  },
  {
    kind: 'sync-not-wanted',
    name: 'syncs decided by another registry version than they name',
    plant: (run) => {
      const syncs = syncsOf(run, eventWith(run, 2, onlyOfM0))
      for (const sync of syncs) sync.registryOffset = 3
      return [at(pick(syncs, ({ syncId }) => syncId.endsWith('.created')))]
    },
  },
  {
    kind: 'sync-without-event',
    name: 'a phantom sync',
    plant: (run) => {
      const eventId = 'e'.repeat(32)
      return [at(repeat(run.syncs, { ...pick(run.syncs), eventId, syncId: `${eventId}.M-0.all` }))]
    },
  },
  {
    kind: 'sync-altered',
    name: 'a sync with the content of another event',
    plant: (run) => {
      const sync = pick(run.syncs)
      sync.content = 'another'
      return [at(sync), at(eventOf(run, sync.eventId))]
    },
  },
  {
    kind: 'sync-altered',
    name: 'a sync that forgot that its event is late',
    plant: (run) => {
      const event = pick(run.events, (event) => event.late && syncsOf(run, event).length > 0)
      const [sync] = syncsOf(run, event) as [(typeof run.syncs)[0]]
      sync.late = false
      return [at(sync), at(event)]
    },
  },
  {
    kind: 'sync-not-wanted',
    name: 'a sync written again for a subscription that does not want the event',
    plant: (run) => {
      const sync = pick(run.syncs)
      const extra = repeat(run.syncs, { ...sync, replayed: true, syncId: `${sync.eventId}.M-2.off` })
      return [at(extra), extra.syncId]
    },
  },
  {
    kind: 'sync-altered',
    name: 'a sync written again with other content',
    plant: (run) => {
      const sync = repeat(run.syncs, { ...pick(run.syncs), replayed: true, content: 'another' })
      return [at(sync), at(eventOf(run, sync.eventId))]
    },
  },
  {
    kind: 'sync-dead',
    name: 'an event is a dead letter of merchant-sync',
    plant: (run) => {
      const { origin } = pick(run.events)
      run.lostSyncs.push({ topic: topics.deadLetters['merchant-sync'], partition: 0, offset: 0, origin })
      return [`${topics.deadLetters['merchant-sync']}/0/0`, origin]
    },
  },
  {
    kind: 'registry-versions-differ',
    name: 'two syncs of one event by two registry versions',
    plant: (run) => {
      const [first, second] = syncsOf(run, eventWith(run, 2)) as [Run['syncs'][0], Run['syncs'][0]]
      second.registryOffset = 3
      return [at(first), at(second)]
    },
  },
  {
    kind: 'registry-version-unknown',
    name: 'a sync by a registry version of the future',
    plant: (run) => {
      const [sync] = syncsOf(run, eventWith(run, 1)) as [Run['syncs'][0]]
      sync.registryOffset = 99
      return [at(sync)]
    },
  },
  {
    kind: 'registry-version-old',
    name: 'a sync by half a registry',
    plant: (run) => {
      const [sync] = syncsOf(
        run,
        eventWith(run, 1, ({ merchantId }) => merchantId === 'M-0'),
      ) as [Run['syncs'][0]]
      sync.registryOffset = 0
      return [at(sync)]
    },
  },
  {
    kind: 'raw-order',
    name: 'two raw records changed places on their way to the normalized topic',
    plant: (run) => {
      const lane = run.normalized.filter(({ origin }) => origin.startsWith(`${topics.raw.bluepay}/1/`))
      const [first, second] = lane as [Run['normalized'][0], Run['normalized'][0]]
      swap(run.normalized, first, second)
      return [at(first), at(second)]
    },
  },
  {
    kind: 'token-order',
    name: 'the events of a token changed places',
    plant: (run) => {
      const canceled = pick(run.events, ({ type, late }) => type === 'token.canceled' && !late)
      const created = pick(run.events, ({ tokenRef }) => tokenRef === canceled.tokenRef)
      swap(run.events, created, canceled)
      return [at(created), at(canceled)]
    },
  },
  {
    kind: 'token-apart',
    name: 'an event of a token on another partition',
    plant: (run) => {
      const event = pick(run.events, ({ type, partition }) => type === 'token.canceled' && partition === 0)
      event.partition = 1
      return [at(event)]
    },
  },
  {
    kind: 'late-missing',
    name: 'a creation after its cancellation that is not marked late',
    plant: (run) => {
      const event = pick(run.events, ({ late }) => late)
      event.late = false
      return [at(event)]
    },
  },
  {
    kind: 'late-without-cause',
    name: 'a creation before its cancellation that is marked late',
    plant: (run) => {
      const event = pick(run.events, ({ late, type }) => !late && type === 'token.created')
      event.late = true
      return [at(event)]
    },
  },
  {
    kind: 'late-without-cause',
    name: 'an event without a token that is marked late',
    plant: (run) => {
      const event = pick(run.events, ({ tokenRef }) => tokenRef === undefined)
      event.late = true
      return [at(event)]
    },
  },
  {
    kind: 'hung-transaction',
    name: 'the last stable offset lies below the end',
    plant: (run) => {
      const view = run.committed.get(`${topics.events}/1`) ?? { offsets: [], end: 0 }
      view.end -= 1
      return [`${topics.events}/1/${view.end}`]
    },
  },
  {
    kind: 'never-in-log',
    name: 'read_committed shows a record that is not in the log',
    plant: (run) => {
      run.committed.get(`${topics.events}/0`)?.offsets.push(5000)
      return [`${topics.events}/0/5000`]
    },
  },
  {
    kind: 'seen-by-other-only',
    name: 'another client shows an aborted record',
    plant: (run) => {
      const { otherClient, aborted } = withOtherClient(run)
      otherClient.get(`${topics.events}/0`)?.push(aborted)
      return [`${topics.events}/0/${aborted}`]
    },
  },
  {
    kind: 'missed-by-other',
    name: 'another client misses a record',
    plant: (run) => [`${topics.events}/0/${withOtherClient(run).otherClient.get(`${topics.events}/0`)?.pop()}`],
  },
  {
    kind: 'not-consumed',
    name: 'a group has not committed past a record',
    plant: (run) => {
      const { topic, partition, offset } = pick(run.events)
      run.notConsumed.push({ topic, partition, offset, group: 'token-notifications.merchant-sync' })
      return [`${topic}/${partition}/${offset}`, 'group token-notifications.merchant-sync']
    },
  },
  {
    kind: 'duplicate-of-nothing',
    name: 'a duplicate whose position is of another origin',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      duplicate.position = at(normalizedOf(run, pick(run.duplicates, (other) => other !== duplicate).origin))
      return [at(duplicate), duplicate.position]
    },
  },
  {
    kind: 'wrong-holder',
    name: 'a duplicate that points to another change',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      duplicate.holder = at(normalizedOf(run, pick(run.events, ({ eventId }) => eventId !== duplicate.eventId).origin))
      return [at(duplicate), duplicate.holder]
    },
  },
  {
    kind: 'wrong-holder',
    name: 'a duplicate that points to another duplicate of the same change',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      const other = pick(run.duplicates, ({ eventId }) => eventId === duplicate.eventId)
      duplicate.holder = other.position
      return [at(duplicate), other.position]
    },
  },
  {
    kind: 'holder-not-before',
    name: 'a duplicate that lies before its holder',
    plant: (run) => {
      const duplicate = pick(run.duplicates)
      const [own, held] = [normalizedOf(run, duplicate.origin), normalizedOf(run, eventOf(run, duplicate.eventId).origin)]
      swap(run.normalized, own, held)
      duplicate.position = at(own)
      duplicate.holder = at(held)
      return [at(duplicate), at(held), at(own)]
    },
  },
  {
    kind: 'conflict-missing',
    name: 'a conflict that is not marked',
    plant: (run) => {
      const duplicate = pick(run.duplicates, ({ conflict }) => conflict)
      duplicate.conflict = false
      return [at(duplicate)]
    },
  },
  {
    kind: 'conflict-without-cause',
    name: 'a plain repeat marked as a conflict',
    plant: (run) => {
      const duplicate = pick(run.duplicates, ({ conflict }) => !conflict)
      duplicate.conflict = true
      return [at(duplicate)]
    },
  },
]

/** Another client that sees what kcat sees, and an offset on the first partition of the public topic that neither shows. */
function withOtherClient(run: Run): { otherClient: Map<string, number[]>; aborted: number } {
  const otherClient = new Map([...run.committed].map(([partition, { offsets }]) => [partition, [...offsets]]))
  run.otherClient = otherClient
  const committed = new Set(otherClient.get(`${topics.events}/0`))
  const log = run.uncommitted.get(`${topics.events}/0`)?.offsets ?? []
  return { otherClient, aborted: pick(log, (offset) => !committed.has(offset)) }
}

t.test('a run that keeps every promise has no problem', async (t) => {
  const run = syntheticRun()
  withOtherClient(run)
  const report = decideRun(run)
  t.strictSame(report.problems, [])
  t.strictSame(report.totals, [])
  t.ok(report.ok)
  t.strictSame([report.lost, report.doubled, report.invented, report.wrong], [0, 0, 0, 0])
  const { raw, events, duplicates, deadLetters, conflicts, aborted, syncs } = report.figures
  t.equal(raw, events + duplicates + deadLetters)
  for (const figure of [conflicts, aborted, syncs, deadLetters]) t.ok(figure > 3, `${figure} of what a fault needs`)
  t.ok(
    run.events.some((event) => syncsOf(run, event).length === 0),
    'there are events that nobody wants',
  )
})

for (const { kind, name, plant } of planted) {
  t.test(`${kind}: ${name}`, async (t) => {
    const run = syntheticRun()
    const positions = plant(run)
    t.ok(positions.length > 0 && positions.every(Boolean), 'there is a place to find')
    const report = decideRun(run, 1_000)
    const names = (problem: Problem) => positions.every((position) => problem.positions.includes(position))
    t.ok(
      report.problems.some((problem) => problem.what === kind && names(problem)),
      `found at ${positions.join(' ')}`,
    )
    t.notOk(report.ok)
    const [, effect] = kinds[kind]
    t.ok(report[effect] > 0, `counted as ${effect}`)
    t.ok(report.problems.length < 15, 'and not much else is named')
  })
}

t.test('every kind of problem was planted', async (t) => {
  const found = new Set(planted.map(({ kind }) => kind))
  t.strictSame(
    (Object.keys(kinds) as Kind[]).filter((kind) => !found.has(kind)),
    [],
  )
})

t.test('all are counted, and only so many of each kind are named', async (t) => {
  const run = syntheticRun()
  const lost = run.duplicates.splice(0, 20)
  const { totals, problems } = decideRun(run, 3)
  t.equal(totals.find(({ what }) => what === 'unaccounted')?.count, lost.length)
  t.equal(problems.filter(({ what }) => what === 'unaccounted').length, 3)
})

t.test('an event without a sync is in order if it matched nobody at a version that stood during the run', async (t) => {
  const run = syntheticRun()
  const event = eventWith(run, 2, onlyOfM0)
  const without = run.syncs.filter(({ eventId }) => eventId !== event.eventId)
  const removal = { ...pick(run.registry), offset: 5, timestamp: run.raw[0]?.timestamp ?? 0, value: null, key: 'M-0' }
  const during = { ...removal, timestamp: removal.timestamp + 1 }
  t.ok(decideRun({ ...run, syncs: without, registry: [...run.registry, during] }).ok, 'removed meanwhile')
  t.notOk(decideRun({ ...run, syncs: without }).ok, 'never removed')
})

t.test('a history that gives the same bytes to two changes decides nothing, and says so', async (t) => {
  const run = syntheticRun()
  const [first, other] = [pick(run.attempts), pick(run.attempts, ({ change }) => change !== pick(run.attempts).change)]
  other.sha256 = first.sha256
  t.throws(() => decideRun(run), new RegExp(`attempts ${first.n} and ${other.n}`))
})

t.test('a sync that an operator had written again is no double', async (t) => {
  const run = syntheticRun()
  repeat(run.syncs, { ...pick(run.syncs), replayed: true })
  const { ok, problems } = decideRun(run)
  t.strictSame({ ok, problems }, { ok: true, problems: [] })
})
