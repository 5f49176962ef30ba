import { alipayplusRetryMinutes, judgeAlipayplus, signAlipayplus } from './alipayplus-wire.ts'
import { judgeBluepay, signBluepay } from './bluepay-wire.ts'
import type { HttpAnswer, HttpRequest } from './http.ts'
import type { Change, Delivery } from './notification.ts'
import type { AlipayplusSender } from './senders.ts'
import { spell } from './spelling.ts'
import type { Verdict } from './verdict.ts'

/** A request on its way: how it goes over the wire, and how its answer is judged. */
export type Signed = { request: HttpRequest; judge: (answer: HttpAnswer) => Verdict }

/** Signs a delivery as its provider does. Only `Request-Time` and what it signs depend on `now`. */
export function signDelivery({ change, content, style }: Delivery, now: number): Signed {
  switch (change.provider) {
    case 'alipayplus': {
      const { keys } = change.sender
      const sender = keys[style.key % keys.length] as AlipayplusSender
      const body = Buffer.from(spell('alipayplus', content, style))
      return { request: signAlipayplus(sender, body, style, now), judge: (answer) => judgeAlipayplus(sender, answer) }
    }
    case 'bluepay':
      return { request: signBluepay(change.sender, content, style), judge: judgeBluepay }
  }
}

/** The account as the pipeline names it (`design.md` §3): Alipay+ by the body where it can be read, BluePay by configuration. */
export function accountOf(change: Change): string {
  if (change.provider === 'bluepay') return change.sender.account
  const { content, sender } = change
  return typeof content === 'string' ? sender.clientId : String(content.authClientId)
}

/** How long a provider waits for an answer: Alipay+ 5 s by a third party's guide; BluePay documents nothing, so a minute and some. */
export const answerTimeoutMs = { alipayplus: 5_000, bluepay: 65_000 } as const

/** Pauses before each retry. BluePay documents no retry: what it could not deliver is lost to it. */
export const retryPausesMs = (provider: Change['provider'], compress: number): number[] =>
  provider === 'alipayplus' ? alipayplusRetryMinutes.map((minutes) => (minutes * 60_000) / compress) : []
