import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import { normalize } from '../../shared/normalize/normalize.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener, createRawSealer } from '../../shared/security/seal-raw.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { type Fixture, fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'

const keys = loadTestKeys(t.testdir())
const deps = {
  opener: createRawOpener(keys.rawPrivate),
  sealer: createCredentialSealer(keys.credentials),
  identity: keys.identity,
  topics: topicNames('prefix.'),
}
const fixture = (name: string) => fixtures.find((entry) => entry.name === name) as Fixture
const created = fixture('alipayplus/token-created')
const notOpened = { kind: 'dead-letter', reason: 'not-opened' }

function emitted(record: ReturnType<typeof rawRecord>) {
  const outcome = normalize(record, deps)
  if (outcome.kind !== 'emit') throw new Error(`not emitted: ${JSON.stringify(outcome)}`)
  const output = outcome.records[0]!
  return { output, event: JSON.parse(String(output.value)) as TokenEvent }
}

t.test('a record that the gateway did not write, or that was altered, is a dead letter', async (t) => {
  const record = rawRecord(created, keys)
  const without = (name: string) => ({ ...record.headers, [name]: undefined }) as unknown as Record<string, string>
  const altered = Buffer.from(record.value!)
  altered[altered.length - 40]! ^= 1
  t.match(normalize({ ...record, value: altered }, deps), notOpened)
  t.match(normalize({ ...record, value: null }, deps), notOpened)
  t.match(normalize({ ...record, value: created.provider === 'alipayplus' ? created.body : null }, deps), notOpened, 'unsealed')
  t.match(normalize({ ...record, value: Buffer.alloc(0) }, deps), notOpened)
  t.match(normalize({ ...record, key: null }, deps), notOpened)
  t.match(normalize({ ...record, headers: without(header.provider) }, deps), notOpened)
  t.match(normalize({ ...record, headers: without(header.account) }, deps), notOpened)
  t.match(normalize({ ...record, headers: { ...record.headers, [header.provider]: 'constructor' } }, deps), notOpened)
  t.match(normalize({ ...record, headers: { ...record.headers, [header.provider]: 'bluepay' } }, deps), notOpened)
  t.match(normalize({ ...record, headers: { ...record.headers, [header.account]: 'another' } }, deps), notOpened)
})

t.test('a key that is missing here is wrong with the world: it is thrown, and nothing is skipped', async (t) => {
  const [key] = keys.rawPrivate.keys
  const opener = createRawOpener({ development: true, keys: [{ ...key!, kid: 'another' }] })
  t.throws(() => normalize(rawRecord(created, keys), { ...deps, opener }), { name: 'UnknownKeyError' })
})

t.test('a created token carries the event id that its cancellation will have, and only there', async (t) => {
  for (const [creation, cancellation] of [
    ['alipayplus/token-created', 'alipayplus/token-canceled-by-wallet'],
    ['bluepay/token-created-with-country', 'bluepay/token-expired'],
  ] as const) {
    const token = creation.startsWith('alipayplus') ? 'accessToken' : 'paytoken'
    const client = creation.startsWith('alipayplus') ? 'authClientId' : 'userId'
    const first = fixture(creation)
    const same = withFields(fixture(cancellation), { [token]: fieldsOf(first)[token], [client]: fieldsOf(first)[client] })
    const cancel = emitted(rawRecord(same, keys))
    const create = emitted(rawRecord(first, keys))
    t.equal(create.output.headers[header.cancelId], cancel.event.eventId)
    t.equal(create.event.token?.ref, cancel.event.token?.ref)
    t.equal(create.output.key, cancel.output.key, 'both lie on one partition')
    t.notOk(header.cancelId in cancel.output.headers)
  }
})

t.test('copies of one notification are one change, whatever was sent around it', async (t) => {
  const once = emitted(rawRecord(created, keys))
  const resent = { ...created, requestTime: '2022-06-06T12:12:12+08:00' } as Fixture
  const later = emitted(rawRecord(resent, keys, { offset: 2000, timestamp: Date.parse('2026-11-23T05:00:00Z') }))
  t.equal(later.event.eventId, once.event.eventId)
  t.equal(later.output.headers[header.contentHash], once.output.headers[header.contentHash])
  t.not(later.event.times.notifiedAt, once.event.times.notifiedAt)
})

t.test('the same fields at another account are another change, another token and another customer', async (t) => {
  const first = fixture('bluepay/token-created')
  const other = { ...first, account: { account: 'other', merchantId: 'M-9', style: 'param' } } as Fixture
  const [one, two] = [emitted(rawRecord(first, keys)).event, emitted(rawRecord(other, keys)).event]
  t.not(one.eventId, two.eventId)
  t.not(one.token?.ref, two.token?.ref)
  t.not(one.customerRef, two.customerRef)
})

t.test('both styles of one notification are one change', async (t) => {
  const flat = fixture('bluepay/token-created-flat')
  if (flat.provider !== 'bluepay') return t.fail('a BluePay fixture')
  const param: Fixture = { ...flat, account: { ...flat.account, style: 'param' } }
  t.same(emitted(rawRecord(param, keys)).event, emitted(rawRecord(flat, keys)).event)
})

t.test('topic names carry the prefix, the partition is the source’s', async (t) => {
  const { output } = emitted(rawRecord(created, keys, { partition: 11 }))
  t.match(output, { topic: 'prefix.token-events.normalized.v1', partition: 11 })
})

t.test('param that is missing or no text is a dead letter', async (t) => {
  const record = rawRecord(fixture('bluepay/token-created'), keys)
  const account = record.headers[header.account]!
  const withBody = (body: string) => ({
    ...record,
    value: createRawSealer(keys.rawPublic).seal('bluepay', account, Buffer.from(body)),
  })
  const normalized = (body: string) => normalize(withBody(body), deps)
  t.match(normalized('{"sign":"x"}'), { reason: 'missing-field' })
  t.match(normalized('{"param":{"eventName":"token.create.success"},"sign":"x"}'), { reason: 'invalid-field' })
  t.match(normalized('{"param":null,"sign":"x"}'), { reason: 'invalid-field' })
  t.match(normalized('{"param":"{}","param":"{}","sign":"x"}'), { reason: 'ambiguous' })
  t.match(normalized('{"param":"","sign":"x"}'), { reason: 'not-json' })
})

function fieldsOf(entry: Fixture): Record<string, string> {
  return JSON.parse(entry.provider === 'alipayplus' ? entry.body.toString() : entry.notification)
}
function withFields(entry: Fixture, fields: Record<string, string | undefined>): Fixture {
  const text = JSON.stringify({ ...fieldsOf(entry), ...fields })
  return entry.provider === 'alipayplus' ? { ...entry, body: Buffer.from(text) } : { ...entry, notification: text }
}

t.test('the copy of a replay says whose it is, and is the same event', async (t) => {
  const record = rawRecord(created, keys)
  const copy = { ...record, headers: { ...record.headers, [header.replayId]: 'again' } }
  const [first, second] = [emitted(record).output, emitted(copy).output]
  t.notOk(header.replayId in first.headers)
  t.same(second, { ...first, headers: { ...first.headers, [header.replayId]: 'again' } })
})
