/** Kafka header names: the contract between the services. Values are UTF-8, never null, never secret. */
export const header = {
  /** CloudEvents 1.0 Kafka binding, binary mode. */
  specversion: 'ce_specversion',
  id: 'ce_id',
  source: 'ce_source',
  type: 'ce_type',
  time: 'ce_time',
  subject: 'ce_subject',
  dataschema: 'ce_dataschema',
  contentType: 'content-type',

  /** Raw records: who sent it and how it was signed (`providers.md` §2.2). */
  provider: 'provider',
  account: 'account',
  httpPath: 'http-path',
  httpClientId: 'http-client-id',
  httpRequestTime: 'http-request-time',
  httpSignature: 'http-signature',
  /** Raw BluePay records: what the account's configuration said when the notification was accepted. */
  merchantId: 'merchant-id',
  defaultZone: 'default-zone',
  accountStyle: 'account-style',

  /** `topic/partition/offset` of the raw record; on every record after the raw topics, but for what a redrive put there: that is its own. */
  origin: 'origin',
  /** HMAC over the business fields as received: the same event id with another hash is a conflict. */
  contentHash: 'content-hash',
  /** Normalized `created` events: the event id that the cancellation of the same token has or will have. */
  cancelId: 'cancel-id',
  /** Position of the dead letter that an operator sent back; on the record appended for it, and on its event and dead letter if it went back to the deduplicator. */
  redriveOf: 'redrive-of',
  /** Written again by an operator: the replay. On raw copies, carried on to what becomes of them (as a rule duplicates), and on syncs. */
  replayId: 'replay-id',

  /** Dead letters. */
  dlqStage: 'dlq-stage',
  dlqReason: 'dlq-reason',
  dlqDetail: 'dlq-detail',
  dlqTopic: 'dlq-original-topic',
  dlqPartition: 'dlq-original-partition',
  dlqOffset: 'dlq-original-offset',
  dlqFailedAt: 'dlq-failed-at',
} as const
