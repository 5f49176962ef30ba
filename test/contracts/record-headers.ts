import type { header } from '../../shared/contracts/headers.ts'
import type { JsonSchema } from './components.ts'

type HeaderName = (typeof header)[keyof typeof header]

const position = { pattern: '^[A-Za-z0-9._-]+/\\d{1,10}/\\d{1,19}$', examples: ['notifications.bluepay.raw.v1/3/1041'] }
const instant = {
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
  examples: ['2026-11-22T05:00:00.000Z'],
}
const hash = { pattern: '^[0-9a-f]{32}$', examples: ['5b7c0d1e2f3a4b5c6d7e8f9a0b1c2d3e'] }

/** Every header of every topic: UTF-8 text, never null, never secret. A name added to `headers.ts` must be described here. */
const described: Record<HeaderName, JsonSchema & { description: string }> = {
  ce_specversion: { description: 'Version of CloudEvents.', const: '1.0' },
  ce_id: {
    description: 'Token events: the event id. Merchant syncs: the sync id. The same for every copy and on every replay.',
    examples: ['0f1d0c52a9c0f9c1f2f5f6b3a4d5e6f7'],
  },
  ce_source: {
    description: 'Token events: /<provider>/<account>. Merchant syncs: /merchants/<merchant id>. Percent-encoded.',
    examples: ['/alipayplus/2188000000000001234', '/merchants/M-1001'],
  },
  ce_type: { description: 'Token events: `type` of the value. Merchant syncs: merchant-sync.', examples: ['token.created'] },
  ce_time: { description: 'When Kafka took the raw notification: ISO 8601 UTC with milliseconds.', ...instant },
  ce_subject: { description: 'The token ref, where the event has a token.', ...hash },
  ce_dataschema: { description: "`$id` of the value's JSON Schema.", examples: ['urn:token-event:v1'] },
  'content-type': { description: 'Media type of the value.', examples: ['application/json'] },
  provider: { description: 'Who sent the notification.', enum: ['alipayplus', 'bluepay'] },
  account: { description: 'Whose notification it is, as in TokenEvent.', examples: ['2188000000000001234', 'demo-ph'] },
  'http-path': { description: 'alipayplus: the path that was signed.', examples: ['/aps/api/v1/authorizations/authNotify'] },
  'http-client-id': { description: 'alipayplus: Client-Id.', examples: ['SANDBOX_5YC47N2ZQHJ004124'] },
  'http-request-time': { description: 'alipayplus: Request-Time, as sent.', examples: ['2026-11-22T12:59:59+08:00'] },
  'http-signature': {
    description: 'alipayplus: Signature, as sent.',
    examples: ['algorithm=RSA256, keyVersion=1, signature=bm90IG9uZQ%3D%3D'],
  },
  'merchant-id': { description: 'bluepay: the merchant configured for the account.', examples: ['M-1001'] },
  'default-zone': { description: 'bluepay: zone configured for times that name none.', examples: ['+08:00'] },
  'account-style': { description: 'bluepay: what the account signs.', enum: ['param', 'flat'] },
  origin: { description: 'Position of the raw record: topic/partition/offset.', ...position },
  'content-hash': {
    description: 'HMAC over the business fields as received: the same event id with another one is a conflict.',
    ...hash,
  },
  'cancel-id': { description: 'Creations: the event id that a cancellation of the same token has or will have.', ...hash },
  'redrive-of': { description: 'A dead letter that an operator sent back: its position.', ...position },
  'replay-id': {
    description:
      'Written again by an operator: the replay. `ce_id` is the first one; whoever has handled that id has nothing to do.',
    examples: ['2026-11-22-merchant-M-1001'],
  },
  'dlq-stage': { description: 'The stage that gave up.', examples: ['normalizer'] },
  'dlq-reason': { description: 'Why: a code.', examples: ['missing-field'] },
  'dlq-detail': { description: 'Why: a sentence. It quotes no value.', examples: ['/accessToken is missing'] },
  'dlq-original-topic': { description: 'Topic of the record.', examples: ['notifications.alipayplus.raw.v1'] },
  'dlq-original-partition': { description: 'Partition of the record.', pattern: '^\\d{1,10}$', examples: ['3'] },
  'dlq-original-offset': { description: 'Offset of the record. Unit: records.', pattern: '^\\d{1,19}$', examples: ['1041'] },
  'dlq-failed-at': { description: 'When the stage gave up: ISO 8601 UTC with milliseconds.', ...instant },
}

/** The headers of one kind of record, as a schema. Readers ignore what they do not know, so it is open. */
export function headersSchema(required: HeaderName[], optional: HeaderName[] = []): JsonSchema {
  const names = [...required, ...optional]
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string', ...described[name] }]))
  return { type: 'object', required, properties }
}
