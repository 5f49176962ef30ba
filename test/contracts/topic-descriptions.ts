import { type StageName, stageNames, topicNames } from '../../shared/contracts/topics.ts'
import { componentRef, type JsonSchema } from './components.ts'
import { headersSchema } from './record-headers.ts'

type Service = StageName | 'gateway' | 'operator'

/** `payload`: the value's schema. `nothing`: a record may have no value at all (a removal). */
export type Message = {
  name: string
  summary: string
  contentType: string
  headers: JsonSchema
  payload: JsonSchema
  nothing?: string
}
export type Channel = {
  title: string
  description: string
  /** Others may read it, and rely on it: within v1 only optional members are added. */
  audience: 'public' | 'internal'
  key: string
  messages: Message[]
  sends: Service[]
  receives: Service[]
}

const topics = topicNames()
const json = 'application/json'
const cloudEvent = [
  'ce_specversion',
  'ce_id',
  'ce_source',
  'ce_type',
  'ce_time',
  'ce_dataschema',
  'content-type',
  'origin',
] as const
const again = ['redrive-of', 'replay-id'] as const
const partitionKey = 'Partition key: stands for the token, or for the change where no token is named. 32 hex digits.'

const raw = (provider: 'Alipay+' | 'BluePay', optional: Parameters<typeof headersSchema>[0]): Channel => ({
  title: `Raw notifications of ${provider}`,
  description: `What ${provider} sent and signed: the exact bytes of the body, sealed to the pipeline. Only verified notifications are here.`,
  audience: 'internal',
  key: `${partitionKey} Where the body cannot be read: spread by its bytes.`,
  messages: [
    {
      name: provider === 'Alipay+' ? 'RawAlipayPlusNotification' : 'RawBluePayNotification',
      summary: 'One HTTP request, as it was accepted.',
      contentType: 'application/jose',
      headers: headersSchema(['provider', 'account', 'content-hash', 'content-type', ...optional], ['default-zone', ...again]),
      payload: {
        description: 'JWE compact, ECDH-ES+A256KW and A256GCM, bound to provider and account. Opens with the raw private key.',
        type: 'string',
        pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+){2}\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]+$',
      },
    },
  ],
  sends: ['gateway', 'operator'],
  receives: ['normalizer'],
})

const tokenEvent = { contentType: json, payload: componentRef('TokenEvent') }

const deadLetters = (stage: StageName): Channel => ({
  title: `Dead letters of the ${stage}`,
  description: `Records that the ${stage} could not handle and never will: key, value and headers as they were, and why.`,
  audience: 'internal',
  key: 'As the record had it.',
  messages: [
    {
      name: `DeadLetter.${stage}`,
      summary: 'A record as it was, with its headers and these.',
      contentType: 'application/octet-stream',
      headers: headersSchema([
        'origin',
        'dlq-stage',
        'dlq-reason',
        'dlq-detail',
        'dlq-original-topic',
        'dlq-original-partition',
        'dlq-original-offset',
        'dlq-failed-at',
      ]),
      payload: { description: 'The bytes of the record, untouched.', type: ['string', 'null'] },
    },
  ],
  sends: [stage],
  receives: ['operator'],
})

/** What stands in each topic, for readers; settings and names come from `topics.ts`. A topic that is missing here fails `npm run generate`. */
export const channels: Record<string, Channel> = {
  [topics.raw.alipayplus]: raw('Alipay+', ['http-path', 'http-client-id', 'http-request-time', 'http-signature']),
  [topics.raw.bluepay]: raw('BluePay', ['merchant-id', 'account-style']),
  [topics.normalized]: {
    title: 'Normalized token events',
    description: 'One TokenEvent per raw notification that could be understood, copies included.',
    audience: 'internal',
    key: partitionKey,
    messages: [
      {
        ...tokenEvent,
        name: 'NormalizedTokenEvent',
        summary: 'A change as one notification told it.',
        headers: headersSchema([...cloudEvent, 'content-hash'], ['ce_subject', 'cancel-id', ...again]),
      },
    ],
    sends: ['normalizer', 'operator'],
    receives: ['deduplicator'],
  },
  [topics.events]: {
    title: 'Token events',
    description:
      'The public topic: one TokenEvent per real change. Read it with isolation.level=read_committed. Events of one token lie on one partition, in the order they were accepted.',
    audience: 'public',
    key: partitionKey,
    messages: [
      {
        ...tokenEvent,
        name: 'TokenEventRecord',
        summary: 'A CloudEvent in Kafka binary mode; `ce_id` is the event id.',
        headers: headersSchema([...cloudEvent], ['ce_subject', ...again]),
      },
    ],
    sends: ['deduplicator', 'operator'],
    receives: ['merchant-sync', 'token-states'],
  },
  [topics.duplicates]: {
    title: 'Duplicates',
    description: 'Which copy was not published, and which record was published instead.',
    audience: 'public',
    key: partitionKey,
    messages: [
      {
        name: 'DuplicateRecord',
        summary: 'A copy of a change that was published before.',
        contentType: json,
        headers: headersSchema(['origin', 'content-type'], ['replay-id']),
        payload: componentRef('Duplicate'),
      },
    ],
    sends: ['deduplicator'],
    receives: [],
  },
  [topics.states]: {
    title: 'Token states',
    description:
      'The latest state of each token, for ever; one that has ended stays so. The partition number is that of its events: read the states to their end, then the events from one past the highest `position` of each partition. Read it with isolation.level=read_committed.',
    audience: 'public',
    key: 'Token ref: 32 hex digits.',
    messages: [
      {
        name: 'TokenStateRecord',
        summary: "A token's state; it replaces the one before.",
        contentType: json,
        headers: headersSchema(['origin', 'content-type']),
        payload: componentRef('TokenState'),
      },
    ],
    sends: ['token-states'],
    receives: ['token-states'],
  },
  [topics.merchants]: {
    title: 'Merchant registry',
    description:
      'Which merchant wants which events: the whole history, for ever. Its offsets are the registry positions in merchant syncs.',
    audience: 'internal',
    key: 'Merchant id.',
    messages: [
      {
        name: 'MerchantRecord',
        summary: "A merchant's entry; it replaces the one before.",
        contentType: json,
        headers: headersSchema([]),
        payload: componentRef('Merchant'),
        nothing: 'The merchant is removed.',
      },
    ],
    sends: ['operator'],
    receives: ['merchant-sync'],
  },
  [topics.syncs]: {
    title: 'Merchant syncs',
    description: 'One record for each token event and subscription that wants it. Read it with isolation.level=read_committed.',
    audience: 'public',
    key: "Merchant id, a colon, and the token ref (the event's partition key where it has no token). Syncs with one key are in the order of their events.",
    messages: [
      {
        name: 'MerchantSyncRecord',
        summary: 'A CloudEvent in Kafka binary mode; `ce_id` is the sync id.',
        contentType: json,
        headers: headersSchema([...cloudEvent], ['ce_subject', ...again]),
        payload: componentRef('MerchantSync'),
      },
    ],
    sends: ['merchant-sync', 'operator'],
    receives: [],
  },
  ...Object.fromEntries(stageNames.map((stage) => [topics.deadLetters[stage], deadLetters(stage)])),
  [topics.audit]: {
    title: 'Audit trail of the operator',
    description: 'Every operator command that changed something: who, what, when. For ever.',
    audience: 'internal',
    key: 'The command.',
    messages: [
      {
        name: 'AuditRecord',
        summary: 'One command.',
        contentType: json,
        headers: headersSchema([]),
        payload: {
          type: 'object',
          required: ['at', 'who', 'command', 'args', 'changes'],
          properties: {
            at: { description: 'When: ISO 8601 UTC with milliseconds.', type: 'string', format: 'date-time' },
            who: { description: 'Who ran it.', type: 'string' },
            command: { description: 'What was run.', type: 'string', examples: ['merchants put'] },
            args: { description: 'The command line. No option takes a secret.', type: 'array', items: { type: 'string' } },
            changes: { description: 'What was changed; each command has its own form.' },
          },
        },
      },
    ],
    sends: ['operator'],
    receives: [],
  },
}
