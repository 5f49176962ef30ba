/** Building blocks of the BluePay cases: valid notifications, and `{param, sign}` taken apart. */
import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import { signBluepay } from '../simulator/bluepay-wire.ts'
import type { HttpRequest } from '../simulator/http.ts'
import type { Style } from '../simulator/notification.ts'
import { digits, upperAlphanumeric } from '../simulator/random.ts'
import type { BluepaySender } from '../simulator/senders.ts'
import { documentedStyle } from '../simulator/spelling.ts'
import type { Kit } from './case.ts'

export function created(kit: Kit, { channelCode, countryCode }: BluepaySender, more: Fields = {}): Fields {
  return {
    channelCode,
    countryCode,
    eventName: 'token.create.success',
    expiresTime: '2034-09-18 18:10:35',
    paytoken: `TK${kit.random.text(upperAlphanumeric, 18)}`,
    requestId: `req${kit.random.text(upperAlphanumeric, 20)}`,
    tokenStatus: 'ACTIVED',
    userId: `u${kit.random.text(digits, 12)}`,
    ...more,
  }
}
export const canceled = (kit: Kit, sender: BluepaySender, inactiveType: string): Fields =>
  created(kit, sender, {
    eventName: 'token.cancel.success',
    expiresTime: undefined,
    tokenStatus: 'INACTIVED',
    inactiveTime: '2026-09-18 18:10:35',
    inactiveType,
  })
export const failed = (kit: Kit, sender: BluepaySender): Fields =>
  created(kit, sender, { eventName: 'token.create.failed', paytoken: undefined, tokenStatus: undefined, expiresTime: undefined })

export type WhichSender = (kit: Kit) => BluepaySender
export const param: WhichSender = ({ bluepay }) => bluepay.param
export const flat: WhichSender = ({ bluepay }) => bluepay.flat
export const longKey: WhichSender = ({ bluepay }) => bluepay.otherParam

export const valid = (kit: Kit, which: WhichSender, content?: Fields | string, style: Partial<Style> = {}): HttpRequest =>
  signBluepay(which(kit), content ?? created(kit, which(kit)), { ...documentedStyle, contentType: 'application/json', ...style })

/** `{param, sign}` taken apart, changed, and put together again. */
export const rebuilt = (kit: Kit, change: (members: { param: string; sign: string }) => string): HttpRequest => {
  const request = valid(kit, param)
  return { ...request, body: Buffer.from(change(JSON.parse(request.body.toString()) as { param: string; sign: string })) }
}
export const members = (kit: Kit, change: (members: { param: string; sign: string }) => unknown) =>
  rebuilt(kit, (given) => JSON.stringify(change(given)))
export const signedParam = (kit: Kit, text: (json: string) => string) =>
  valid(kit, param, text(JSON.stringify(created(kit, param(kit)))))
