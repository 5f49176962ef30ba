import t from 'tap'
import { tokenEventHeaders } from '../../shared/contracts/cloud-event.ts'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import { normalize } from '../../shared/normalize/normalize.ts'
import { openCredentials } from '../../shared/security/open-credentials.ts'
import { createCredentialSealer } from '../../shared/security/seal-credentials.ts'
import { createRawOpener } from '../../shared/security/seal-raw.ts'
import { strictMistakes } from '../contracts/strict.ts'
import { loadTestKeys } from '../fixtures/keys.ts'
import { fixtures } from '../fixtures/load.ts'
import { rawRecord } from '../fixtures/raw-record.ts'

const keys = loadTestKeys(t.testdir())
const topics = topicNames()
const newDeps = () => ({
  opener: createRawOpener(keys.rawPrivate),
  sealer: createCredentialSealer(keys.credentials),
  identity: keys.identity,
  topics,
})
const deps = newDeps()

for (const fixture of fixtures) {
  const { name, description, expected } = fixture
  t.test(`${name}: ${description}`, async (t) => {
    const record = rawRecord(fixture, keys)
    const outcome = normalize(record, deps)
    if ('deadLetter' in expected) {
      t.match(outcome, { kind: 'dead-letter', ...expected.deadLetter, detail: /^.{10,}$/ })
      return
    }
    if (outcome.kind !== 'emit') return t.fail(`an event is expected, not ${JSON.stringify(outcome)}`)
    t.equal(outcome.records.length, 1)
    const { topic, partition, key, value, headers } = outcome.records[0]!
    const { sealed, ...event } = JSON.parse(String(value)) as TokenEvent
    t.same(event, expected.event)
    const { provider, account, eventId } = event
    t.same(openCredentials(keys.credentials, { provider, account, eventId }, sealed!), expected.credentials)

    t.same(strictMistakes('urn:token-event:v1', { ...event, sealed }), [], 'exactly as the schema describes')
    t.same({ topic, partition, key }, { topic: topics.normalized, partition: 3, key: String(record.key) })
    const { [header.cancelId]: cancelId, ...others } = headers
    const position = { [header.origin]: `${record.topic}/3/1041`, [header.contentHash]: record.headers[header.contentHash] }
    t.same(others, { ...tokenEventHeaders(event), ...position })
    t.equal(cancelId !== undefined, event.type === 'token.created' && event.token !== undefined)

    const inTheClear = [key, JSON.stringify(event), ...Object.values(headers)].join('\n')
    const secrets = Object.values(expected.credentials).filter((secret) => secret.length > 4)
    t.same(
      secrets.filter((secret) => inTheClear.includes(secret)),
      [],
      'no credential is in the clear',
    )

    const again = normalize(rawRecord(fixture, keys), newDeps())
    t.same(again, outcome, 'the same notification, sealed anew and opened by another process, gives the same bytes')
  })
}

t.test('the fixtures are all of the kinds that there are', async (t) => {
  const kinds = fixtures.flatMap(({ expected }) =>
    'event' in expected ? [`${expected.event.provider} ${expected.event.type}`] : [],
  )
  t.same([...new Set(kinds)].sort(), [
    'alipayplus authorization-code.created',
    'alipayplus token.canceled',
    'alipayplus token.created',
    'bluepay token.canceled',
    'bluepay token.created',
    'bluepay token.creation-failed',
    'bluepay token.expired',
  ])
  const reasons = fixtures.flatMap(({ expected }) => ('deadLetter' in expected ? [expected.deadLetter.reason] : []))
  t.same([...new Set(reasons)].sort(), [
    'ambiguous',
    'invalid-field',
    'missing-field',
    'not-json',
    'too-deep',
    'unknown-type',
    'unreadable',
  ])
})

t.test('each fixture is a change of its own, so that all of them can go through one pipeline in any order', async (t) => {
  const events = fixtures.flatMap(({ expected }) => ('event' in expected ? [expected.event] : []))
  t.equal(new Set(events.map(({ eventId }) => eventId)).size, events.length)
  const refs = events.flatMap(({ token }) => (token ? [token.ref] : []))
  t.equal(new Set(refs).size, refs.length, 'no token is both created and canceled')
})

t.test('no notification leaves anything behind on the prototype of objects', async (t) => {
  t.same(Object.keys(Object.prototype), [])
  t.equal(({} as { late?: boolean }).late, undefined)
})
