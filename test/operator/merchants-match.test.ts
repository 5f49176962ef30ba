import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { readAll } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { type Around, operator, temporaryFolder } from './operator-under-test.ts'

const folder = temporaryFolder(t)

const eventOf = (digit: string, overrides: Partial<TokenEvent>): TokenEvent => ({
  eventId: digit.repeat(32),
  type: 'token.created',
  late: false,
  provider: 'bluepay',
  account: 'demo',
  merchantId: 'M-1',
  channel: { code: 'PH_GCASH_DIRECT_DEBIT' },
  times: { receivedAt: '2026-01-01T00:00:00.000Z', zoneAssumed: false },
  raw: { type: 'token.create.success' },
  ...overrides,
})

t.test('who gets an event and who not, and which events nobody got, as merchant-sync decided it', async (t) => {
  const set = await createTopicSet(t, { partitions: 2 })
  const { kafka, topics, prefix } = set
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: prefix }
  const run = (args: string[], around: Around = {}) => operator(['merchants', ...args], { env, ...around })
  const put = async (entry: object) => {
    writeFileSync(join(folder, 'entry.json'), JSON.stringify(entry))
    t.match(await run(['put', join(folder, 'entry.json')]), { code: 0 })
  }
  const shop = { id: 'shop', enabled: true, channels: ['PH_GCASH_DIRECT_DEBIT'] }
  const desk = { id: 'desk', enabled: false, types: ['token.canceled'] }
  await put({ merchantId: 'M-1', subscriptions: [shop, desk] })

  const events: [number, TokenEvent | undefined][] = [
    [0, eventOf('a', {})],
    [1, eventOf('b', { channel: { code: 'JTWALLET_DIRECT_DEBIT' } })],
    [0, eventOf('c', { merchantId: 'M-2' })],
    [1, undefined],
  ]
  const producer = kafka.producer()
  await producer.connect()
  const from = Date.now()
  for (const [index, [partition, event]] of events.entries()) {
    const message = { key: 'key', value: JSON.stringify(event ?? {}), headers: { [header.origin]: `raw/${partition}/${index}` } }
    await producer.send({ topic: topics.events, messages: [{ ...message, partition, timestamp: String(from + index) }] })
  }
  await producer.disconnect()

  t.match((await run(['unmatched', '--json'])).json(), { events: 0, unmatched: 0, undecided: 4 })
  const service = await startService(t, 'merchant-sync', { ...env, LOG_LEVEL: 'info' })
  await service.untilReady()
  await waitFor('all to be decided', async () => {
    const { undecided } = (await run(['unmatched', '--json'])).json()
    return undecided === 0
  })
  t.equal((await readAll(topics.syncs)).length, 1)

  const [gcash, jtwallet] = [`${topics.events}/0/0`, `${topics.events}/1/0`]
  const got = await run(['match', gcash])
  t.match(got, { code: 0, out: /M-1 +shop +gets it\nM-1 +desk +does not +disabled, type\nBy version 0/ })
  t.match((await run(['match', jtwallet, '--json'])).json(), {
    registryOffset: 0,
    candidates: [
      { merchantId: 'M-1', subscriptionId: 'shop', refusals: ['channel'] },
      { merchantId: 'M-1', subscriptionId: 'desk', refusals: ['disabled', 'type'] },
    ],
  })
  t.match((await run(['match', jtwallet, '--merchant', 'M-2'])).out, /M-2 +does not +not-registered/)
  const input = JSON.stringify(eventOf('d', { merchantId: 'M-9' }))
  t.match(await run(['match', '-'], { input }), { code: 0, out: /Nobody: it concerns no registered merchant/ })
  t.match(await run(['match', '-'], { input: '{}' }), { code: 1, err: /- is no token event/ })
  t.match(await run(['match', `${topics.events}/1/99`]), { code: 1, err: /has offsets 0 to 1, not 99/ })
  t.match(await run(['match', gcash, '--version', '5']), { code: 1, err: /no version 5; its latest is 0/ })
  await appendRecords(kafka, [{ topic: topics.merchants, key: 'M-1', value: null }])
  t.match((await run(['match', gcash, '--version', '0'])).out, /shop +gets it/, 'by the version that decided it')
  t.match((await run(['match', gcash])).out, /Nobody/, 'and now')

  await put({ merchantId: 'M-2', subscriptions: [{ id: 'all', enabled: true }] })
  const unmatched = (await run(['unmatched', '--json'])).json()
  t.match(unmatched, {
    events: 4,
    unmatched: 3,
    undecided: 0,
    listed: [
      {
        position: jtwallet,
        registryOffset: 0,
        event: { eventId: 'b'.repeat(32) },
        candidates: [{ refusals: ['channel'] }, { refusals: ['disabled', 'type'] }],
        wantedNow: [],
      },
      {
        position: `${topics.events}/0/1`,
        registryOffset: 0,
        candidates: [],
        wantedNow: [{ merchantId: 'M-2', subscriptionId: 'all' }],
      },
      { position: `${topics.events}/1/1`, candidates: undefined },
    ],
  })
  const text = (await run(['unmatched', '--limit', '2'])).out
  t.match(text, /^3 of 4 events since .* have no sync\.\n/)
  t.match(text, /M-1\/shop: channel; M-1\/desk: disabled, type\n/)
  t.match(text, /it concerns no registered merchant \(now wanted by M-2\/all\)\n… and 1 more/)
  const at = (ms: number) => new Date(from + ms).toISOString()
  t.match((await run(['unmatched', '--from', at(1), '--to', at(2), '--json'])).json(), { events: 1, unmatched: 1 })
  t.match(await run(['unmatched', '--from', 'yesterday']), { code: 2, err: /instant with its zone/ })
})
