import { textOf } from '../contracts/deduplication-key.ts'
import { header } from '../contracts/headers.ts'
import { readJsonObject } from '../contracts/read-json.ts'
import type { BluePayNotification, Cancellation, EventToken, TokenEventType } from '../contracts/types.ts'
import { checkBluePayNotification } from '../contracts/validate.ts'
import { type Mistake, meaning, type Reading, readNotification } from './reading.ts'
import { instantInZone } from './times.ts'

const kinds: Record<BluePayNotification['eventName'], { type: TokenEventType; status: EventToken['status'] }> = {
  'token.create.success': { type: 'token.created', status: 'active' },
  'token.create.failed': { type: 'token.creation-failed', status: 'unknown' },
  'token.cancel.success': { type: 'token.canceled', status: 'inactive' },
}

/** The pages spell ACTIVED and INACTIVED; the day somebody corrects that, nothing breaks. */
const statuses: Record<string, EventToken['status']> = {
  ACTIVED: 'active',
  ACTIVE: 'active',
  INACTIVED: 'inactive',
  INACTIVE: 'inactive',
}

const cancelSources: Record<string, Cancellation['source']> = {
  MCH_CANCEL: 'merchant',
  USER_CANCEL: 'user',
  PLATFORM_CANCEL: 'platform',
  EXPIRED: 'expiry',
}

/** The pages name no zone; the platform's own ISO times and request samples are UTC+8. */
const assumedZone = '+08:00'

/** A BluePay / PayCools notification as a token event. It names no merchant: the account it came by does. */
export function readBluePay(body: Buffer, headers: Record<string, string>): Reading | Mistake {
  const json = headers[header.accountStyle] === 'flat' ? body : paramOf(body)
  if (typeof json !== 'string' && 'reason' in json) return json
  const read = readNotification('bluepay', json, checkBluePayNotification)
  if ('reason' in read) return read
  const { key, notification } = read
  const raw = {
    type: notification.eventName,
    tokenStatus: textOf(notification.tokenStatus),
    cancelSource: textOf(notification.inactiveType),
    expiresAt: textOf(notification.expiresTime),
    inactiveAt: textOf(notification.inactiveTime),
  }
  const configuredZone = textOf(headers[header.defaultZone])
  const expires = instantInZone(raw.expiresAt, configuredZone ?? assumedZone)
  const inactive = instantInZone(raw.inactiveAt, configuredZone ?? assumedZone)
  const canceled = raw.type === 'token.cancel.success'
  const source = meaning(cancelSources, raw.cancelSource) ?? 'unknown'
  const customer = textOf(notification.userId)
  return {
    key,
    said: {
      type: canceled && source === 'expiry' ? 'token.expired' : kinds[raw.type].type,
      merchantId: textOf(headers[header.merchantId]),
      requestId: textOf(notification.requestId),
      cancellation: canceled ? { source, at: inactive.at } : undefined,
      channel: { code: String(notification.channelCode), countryCode: textOf(notification.countryCode) },
      raw,
    },
    token: {
      status: raw.tokenStatus === undefined ? kinds[raw.type].status : (meaning(statuses, raw.tokenStatus) ?? 'unknown'),
      expiresAt: expires.at,
    },
    times: {
      occurredAt: canceled ? inactive.at : undefined,
      zoneAssumed: configuredZone === undefined && (expires.zoneUsed || inactive.zoneUsed),
    },
    customer,
    credentials: {
      accessToken: textOf(notification.paytoken),
      userId: customer,
      userLoginId: textOf(notification.userLoginId),
    },
  }
}

/** The notification in `{param, sign}`: JSON text inside JSON, because the platform signs exactly these characters. */
function paramOf(body: Buffer): string | Mistake {
  const outer = readJsonObject(body)
  if ('reason' in outer) return outer
  const { param } = outer.fields
  if (typeof param === 'string') return param
  if (param === undefined) return { reason: 'missing-field', detail: 'param is missing' }
  return { reason: 'invalid-field', detail: 'param is no text' }
}
