import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import type { MerchantSync, TokenEvent } from '../../shared/contracts/types.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { loadKeyRing } from '../../shared/security/keys.ts'
import { openCredentials } from '../../shared/security/open-credentials.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { readCloudEvent } from '../contracts/read-cloud-event.ts'
import { undocumented } from '../contracts/undocumented.ts'
import { writeTestKeys } from '../fixtures/keys.ts'
import { expectedEvent, fixtures } from '../fixtures/load.ts'
import { readAll } from '../support/read-topic.ts'
import { waitFor } from '../support/wait-for.ts'
import { createFixtureSenders } from './fixture-senders.ts'
import { startPipeline, temporaryFolder } from './pipeline.ts'

const folder = temporaryFolder()
const keys = writeTestKeys(folder)
const senders = createFixtureSenders(folder)
const keyEnv = {
  ACCOUNTS_FILE: senders.accountsFile,
  RAW_PUBLIC_KEYS_FILE: keys.rawPublic,
  RAW_PRIVATE_KEYS_FILE: keys.rawPrivate,
  CREDENTIAL_KEYS_FILE: keys.credentials,
  IDENTITY_KEY_FILE: keys.identity,
  // Fixtures carry the times of the providers' pages.
  FRESHNESS_HOURS: '100000',
}
const live = fixtures.filter(({ expected }) => 'event' in expected)
const dead = fixtures.filter(({ expected }) => 'deadLetter' in expected)
const merchantIds = [
  ...new Set(
    live.flatMap(({ expected }) => ('event' in expected && expected.event.merchantId ? [expected.event.merchantId] : [])),
  ),
]
const parse = <T>(record: SourceRecord) => JSON.parse(String(record.value)) as T

t.test('each fixture, sent over HTTP, becomes exactly its expected event and syncs, or its dead letter', async (t) => {
  const { set, gatewayUrl } = await startPipeline(t, keyEnv, {
    beforeStart: ({ kafka, topics }) =>
      appendRecords(
        kafka,
        merchantIds.map((merchantId) => ({
          topic: topics.merchants,
          key: merchantId,
          value: JSON.stringify({
            merchantId,
            subscriptions: [
              { id: 'all', enabled: true },
              { id: 'created', enabled: true, types: ['token.created'] },
            ],
          }),
        })),
      ),
  })
  const { topics } = set
  const acks = {
    alipayplus: '{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}',
    bluepay: '{"code":10000,"message":"Success"}',
  }
  for (const fixture of fixtures) {
    const answer = await senders.send(gatewayUrl, fixture)
    t.strictSame(answer, { status: 200, body: acks[fixture.provider] }, `${fixture.name} is acknowledged in the provider's words`)
  }

  const records = await waitFor('all events and dead letters', async () => {
    const [events, letters] = [await readAll(topics.events), await readAll(topics.deadLetters.normalizer)]
    return events.length + letters.length >= fixtures.length && { events, letters }
  })
  t.strictSame([records.events.length, records.letters.length], [live.length, dead.length])
  const byId = new Map(records.events.map((record) => [record.headers[header.id], record]))
  const credentialKeys = loadKeyRing(keys.credentials, 'secret')
  for (const { name, expected } of live) {
    if (!('event' in expected)) continue
    const record = byId.get(expected.event.eventId)
    if (!record) {
      t.fail(`${name} has no event`)
      continue
    }
    const { sealed, ...event } = parse<TokenEvent>(record)
    t.strictSame(event, expectedEvent(expected, { receivedAt: new Date(record.timestamp).toISOString() }), name)
    const opened = sealed && openCredentials(credentialKeys, event, sealed)
    t.strictSame(opened || {}, expected.credentials, `${name}: its credentials open, and only they`)
  }
  const reasons = dead.map(({ expected }) => ('deadLetter' in expected ? expected.deadLetter.reason : '')).sort()
  t.strictSame(records.letters.map(({ headers }) => headers[header.dlqReason]).sort(), reasons, 'dead letters have their reasons')

  const wanted = live.flatMap(({ expected }) => {
    if (!('event' in expected)) return []
    const { eventId, merchantId, type } = expected.event
    return [`${eventId}.${merchantId}.all`, ...(type === 'token.created' ? [`${eventId}.${merchantId}.created`] : [])]
  })
  const syncRecords = await waitFor('all syncs', async () => {
    const found = await readAll(topics.syncs)
    return found.length >= wanted.length && found
  })
  const syncs = syncRecords.map((record) => parse<MerchantSync>(record))
  t.strictSame(syncs.map(({ syncId }) => syncId).sort(), wanted.sort(), 'one sync for each event and subscription')
  t.ok(
    syncs.every(({ registryOffset }) => registryOffset === merchantIds.length - 1),
    'each records the registry position',
  )
  t.strictSame(await readAll(topics.duplicates), [], 'every fixture is a change of its own')

  for (const record of [...records.events, ...syncRecords]) {
    const read = readCloudEvent(record.headers, String(record.value))
    t.strictSame([read.id, read.data], [record.headers[header.id], parse(record)], `a CloudEvent: ${read.source} ${read.type}`)
  }
  const written = await readAll(
    ...[topics.raw.alipayplus, topics.raw.bluepay, topics.normalized, topics.events, topics.syncs],
    ...[topics.deadLetters.normalizer, topics.merchants],
  )
  for (const record of written)
    t.strictSame(undocumented(record, set.prefix), [], `${record.topic}/${record.partition}/${record.offset} is as documented`)
  const everything = Buffer.concat(written.map(bytesOf))
  const secrets = live.flatMap(({ expected }) =>
    'credentials' in expected
      ? [expected.credentials.accessToken, expected.credentials.refreshToken, expected.credentials.authCode]
      : [],
  )
  const long = secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 8)
  t.ok(long.length > 20, 'there are credentials to look for')
  t.strictSame(
    long.filter((secret) => everything.includes(secret)),
    [],
    'no credential of any fixture is in any topic in the clear',
  )
})

const bytesOf = ({ key, value, headers }: SourceRecord) =>
  Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0), Buffer.from(JSON.stringify(headers))])
