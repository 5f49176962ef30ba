import t from 'tap'
import { merchantSyncHeaders, tokenEventHeaders } from '../../shared/contracts/cloud-event.ts'
import type { MerchantSync, TokenEvent } from '../../shared/contracts/types.ts'
import { readCloudEvent } from './read-cloud-event.ts'

const event: TokenEvent = {
  eventId: '0f1d0c52a9c0f9c1f2f5f6b3a4d5e6f7',
  type: 'token.created',
  late: false,
  provider: 'alipayplus',
  account: 'client 1/ä',
  token: { ref: '5b7c0d1e2f3a4b5c6d7e8f9a0b1c2d3e', status: 'active' },
  times: { receivedAt: '2026-11-22T05:00:00.123Z', zoneAssumed: false },
  raw: { type: 'TOKEN_CREATED' },
}

const readBySdk = (headers: Record<string, string>, value: unknown) => readCloudEvent(headers, JSON.stringify(value))

t.test('a token event is a CloudEvent in Kafka binary mode, as the SDK reads it', async (t) => {
  const read = readBySdk(tokenEventHeaders(event), event)
  t.ok(read.validate())
  t.match(read, {
    specversion: '1.0',
    id: event.eventId,
    source: '/alipayplus/client%201%2F%C3%A4',
    type: 'token.created',
    time: '2026-11-22T05:00:00.123Z',
    subject: event.token?.ref,
    dataschema: 'urn:token-event:v1',
    datacontenttype: 'application/json',
  })
  t.same(read.data, event)
})

t.test('an event without a token has no subject', async (t) => {
  const { token, ...without } = event
  const headers = tokenEventHeaders(without)
  t.notOk('ce_subject' in headers)
  t.ok(readBySdk(headers, without).validate())
})

t.test('a merchant sync is one too, its id the sync id', async (t) => {
  const syncId = `${event.eventId}.M/1.default`
  const sync: MerchantSync = { syncId, merchantId: 'M/1', subscriptionId: 'default', registryOffset: 17, event }
  const read = readBySdk(merchantSyncHeaders(sync), sync)
  t.ok(read.validate())
  t.match(read, {
    id: syncId,
    source: '/merchants/M%2F1',
    type: 'merchant-sync',
    time: '2026-11-22T05:00:00.123Z',
    subject: event.token?.ref,
    dataschema: 'urn:merchant-sync:v1',
    datacontenttype: 'application/json',
  })
  t.same(read.data, sync)
})

t.test('header values are visible ASCII, so that no client has to guess an encoding', async (t) => {
  for (const [name, value] of Object.entries(tokenEventHeaders(event))) t.match(value, /^[!-~]+$/, name)
})
