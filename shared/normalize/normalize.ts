import { tokenEventHeaders } from '../contracts/cloud-event.ts'
import { header } from '../contracts/headers.ts'
import { type Provider, providers, type Topics } from '../contracts/topics.ts'
import type { TokenEvent } from '../contracts/types.ts'
import { positionOf } from '../kafka/record.ts'
import type { Identity } from '../security/identity.ts'
import type { CredentialSealer } from '../security/seal-credentials.ts'
import type { RawOpener } from '../security/seal-raw.ts'
import { deadLetter, emit, type Outcome, type SourceRecord } from '../stage/outcome.ts'
import { readAlipayPlus } from './alipayplus.ts'
import { readBluePay } from './bluepay.ts'
import type { Mistake, Reading } from './reading.ts'
import { fromEpochMs } from './times.ts'

type Read = (body: Buffer, headers: Record<string, string>) => Reading | Mistake

/** A new provider is a file that reads its format, and a line here. */
const formats: Record<Provider, Read> = { alipayplus: readAlipayPlus, bluepay: readBluePay }

export type NormalizerDeps = { opener: RawOpener; sealer: CredentialSealer; identity: Identity; topics: Topics }
type Source = { provider: Provider; account: string; receivedAt: number }

/**
 * One raw notification as one token event, or as a dead letter. A pure function of the record and the keys, so that a replay gives the
 * same bytes. Throws only UnknownKeyError, for a key that is missing here: wrong with the world, not with the record.
 */
export function normalize(record: SourceRecord, deps: NormalizerDeps): Outcome {
  const { key, value, headers } = record
  const provider = providers.find((name) => name === headers[header.provider])
  const account = headers[header.account]
  if (provider === undefined || !account || key === null || value === null)
    return deadLetter(
      'not-opened',
      'the record lacks its key, its value, its provider or its account: the gateway did not write it',
    )
  const body = deps.opener.open(provider, account, value)
  if (body === undefined)
    return deadLetter(
      'not-opened',
      'the seal does not open for this provider and account: altered, or not written by the gateway',
    )

  const reading = formats[provider](body, headers)
  if ('reason' in reading) return deadLetter(reading.reason, reading.detail)

  const event = toEvent(reading, { provider, account, receivedAt: record.timestamp }, deps)
  const contentHash = headers[header.contentHash]
  const replayId = headers[header.replayId]
  const { cancel } = reading.key
  return emit([
    {
      topic: deps.topics.normalized,
      partition: record.partition,
      key: key.toString('utf8'),
      value: JSON.stringify(event),
      headers: {
        ...tokenEventHeaders(event),
        [header.origin]: positionOf(record),
        ...(contentHash && { [header.contentHash]: contentHash }),
        ...(cancel && { [header.cancelId]: deps.identity.eventId(provider, account, cancel) }),
        ...(replayId && { [header.replayId]: replayId }),
      },
    },
  ])
}

/** Members without a value are undefined here and vanish in JSON. Their order is part of the bytes. */
function toEvent({ key, said, token, times, customer, credentials }: Reading, source: Source, deps: NormalizerDeps): TokenEvent {
  const { provider, account, receivedAt } = source
  const eventId = deps.identity.eventId(provider, account, key.fields)
  const { raw, type, ...details } = said
  return {
    eventId,
    type,
    late: false,
    provider,
    account,
    ...details,
    customerRef: customer === undefined ? undefined : deps.identity.customerRef(provider, account, customer),
    token: key.token === undefined ? undefined : { ref: deps.identity.tokenRef(provider, account, key.token), ...token },
    times: { receivedAt: fromEpochMs(receivedAt), ...times },
    raw,
    sealed: deps.sealer.seal({ provider, account, eventId }, receivedAt, credentials),
  }
}
