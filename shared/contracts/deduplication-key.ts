import type { Provider } from './topics.ts'

/** How long a repeat of a change is told from a new one, unless a deployment says otherwise: the deduplicator's and every tool's default. */
export const defaultWindowHours = 72

/** A parsed notification body: whatever JSON object the provider signed. */
export type Fields = Record<string, unknown>

/**
 * The fields that make two notifications the same change (`providers.md` §4), beginning with the provider's own type, and the
 * token if the key has one. `cancel` is the key that the cancellation of the same token has; only `created` keys carry it.
 */
export type DeduplicationKey = { fields: string[]; token?: string; cancel?: string[] }

/**
 * A field as text: missing, null and "" are one (undefined); providers send integers and booleans as strings, and when
 * they do not, the digits count (`providers.md` §2.4). Objects and arrays have no text.
 */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value)
  return undefined
}

/** Why a notification has no key, in words for the dead letter: a type nobody documented, or a field that is missing. */
export type NoKey = { reason: 'unknown-type' | 'missing-field'; field: string }

type KeyRule = (text: (field: string) => string | undefined) => DeduplicationKey | NoKey

const missing = (field: string): NoKey => ({ reason: 'missing-field', field })

const rules: Record<Provider, { typeField: string; byType: Record<string, KeyRule> }> = {
  alipayplus: {
    typeField: 'authorizationNotifyType',
    byType: {
      AUTHCODE_CREATED: (text) => {
        const [client, code] = [text('authClientId'), text('authCode')]
        if (!client) return missing('authClientId')
        if (!code) return missing('authCode')
        return { fields: ['AUTHCODE_CREATED', client, code] }
      },
      TOKEN_CREATED: (text) => {
        const [client, token] = [text('authClientId'), text('accessToken')]
        if (!client) return missing('authClientId')
        if (!token) return missing('accessToken')
        return { fields: ['TOKEN_CREATED', client, token], token, cancel: ['TOKEN_CANCELED', client, token] }
      },
      TOKEN_CANCELED: (text) => {
        const [client, token] = [text('authClientId'), text('accessToken')]
        if (!client) return missing('authClientId')
        if (!token) return missing('accessToken')
        return { fields: ['TOKEN_CANCELED', client, token], token }
      },
    },
  },
  bluepay: {
    typeField: 'eventName',
    byType: {
      'token.create.success': (text) => {
        const [channel, user, request, token] = [text('channelCode'), text('userId'), text('requestId'), text('paytoken')]
        if (!channel) return missing('channelCode')
        if (!user) return missing('userId')
        if (!request && !token) return missing('requestId')
        const fields = ['token.create.success', channel, user, request ?? '', token ?? '']
        if (!token) return { fields }
        return { fields, token, cancel: ['token.cancel.success', channel, user, 'token', token] }
      },
      'token.create.failed': (text) => {
        const [channel, user, request] = [text('channelCode'), text('userId'), text('requestId')]
        if (!channel) return missing('channelCode')
        if (!user) return missing('userId')
        if (!request) return missing('requestId')
        return { fields: ['token.create.failed', channel, user, request] }
      },
      'token.cancel.success': (text) => {
        const [channel, user, request, token] = [text('channelCode'), text('userId'), text('requestId'), text('paytoken')]
        if (!channel) return missing('channelCode')
        if (!user) return missing('userId')
        if (token) return { fields: ['token.cancel.success', channel, user, 'token', token], token }
        if (!request) return missing('paytoken')
        return { fields: ['token.cancel.success', channel, user, 'request', request] }
      },
    },
  },
}

/** The de-duplication key of a notification, or why it has none. Pure; both the gateway (key) and the normalizer (id) use it. */
export function deduplicationKey(provider: Provider, notification: Fields): DeduplicationKey | NoKey {
  const { typeField, byType } = rules[provider]
  const type = textOf(notification[typeField])
  if (!type) return missing(typeField)
  const rule = Object.hasOwn(byType, type) ? byType[type] : undefined
  if (!rule) return { reason: 'unknown-type', field: typeField }
  return rule((field) => (Object.hasOwn(notification, field) ? textOf(notification[field]) : undefined))
}

export const hasKey = (key: DeduplicationKey | NoKey): key is DeduplicationKey => 'fields' in key

/**
 * One text for all spellings of the same business fields: keys sorted, what is missing, null or "" left out, scalars as
 * strings. Two notifications with one event id and different texts are a conflict.
 */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(String(value))
  let text = ''
  for (const name of Object.keys(value).sort()) {
    const member = (value as Fields)[name]
    if (member === null || member === '') continue
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalText(member)}`
  }
  return `{${text}}`
}
