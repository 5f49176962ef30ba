/** BluePay / PayCools *Authorization Notification*, by `providers.md` §3: whose it is, where it goes, what to answer. */
import { deduplicationKey, type Fields, hasKey } from '../../shared/contracts/deduplication-key.ts'
import { header } from '../../shared/contracts/headers.ts'
import { readJsonObject } from '../../shared/contracts/read-json.ts'
import type { Identity } from '../../shared/security/identity.ts'
import type { BluePayAccount, BluePayAccounts } from './accounts.ts'
import { decodeBase64 } from './base64.ts'
import { readSignedBody, type SignedBody } from './bluepay-body.ts'
import type { Answer, Notification, ProviderRoute, Received, Result, Verdict } from './provider-route.ts'
import type { SignatureCheck } from './signature-check.ts'

/** 10000 and `Success` are fixed by the page; every other code is ours and repeats the HTTP status (§3.4). */
const answers: Record<Result, { status: number; code?: number; message: string }> = {
  accepted: { status: 200, code: 10_000, message: 'Success' },
  unverified: { status: 401, message: 'The signature does not verify for this path' },
  malformed: { status: 400, message: 'The body is not JSON of the form {"param":"...","sign":"..."} or flat fields with "sign"' },
  stale: { status: 400, message: 'Too old' },
  'too-large': { status: 413, message: 'The body is larger than 64 KiB' },
  'media-type': { status: 415, message: 'Plain application/json in UTF-8 only' },
  method: { status: 405, message: 'POST only' },
  'unknown-path': { status: 404, message: 'Nothing has this path' },
  address: { status: 403, message: 'This address may not call' },
  aborted: { status: 400, message: 'The body is incomplete' },
  busy: { status: 503, message: 'Busy, not stored: send again' },
  'rate-limited': { status: 429, message: 'Too many requests, not stored: send again' },
  unavailable: { status: 503, message: 'Not stored for certain: send again' },
  failed: { status: 500, message: 'Not stored: send again' },
}

const headers = { 'Content-Type': 'application/json; charset=UTF-8' }

export function answerBluePay(result: Result): Answer {
  const { status, code = status, message } = answers[result]
  return { status, headers, body: JSON.stringify({ code, message }) }
}

export function createBluePay(
  accounts: BluePayAccounts,
  options: { identity: Identity; verifies: SignatureCheck; deadlineMs: number },
): ProviderRoute {
  const { identity, verifies, deadlineMs } = options
  /** No key version is sent, so every active key is tried: as many tries for every account, known or not. */
  const tries = Math.max(1, ...[...accounts.byPathId.values()].map(({ keys }) => keys.length))

  function isSigned(account: BluePayAccount | undefined, body: SignedBody): boolean {
    const signed = account && (account.style === 'param' ? body.param : body.flat)
    const content = Buffer.from(signed ?? body.param ?? body.flat ?? '')
    const signature = decodeBase64(body.sign, 'base64')
    if (!signature) return false
    const keys = signed === undefined ? [] : (account?.keys ?? [])
    for (let at = 0; at < tries; at++) if (verifies(keys[at], content, signature)) return true
    return false
  }

  function check({ path, body }: Received): Verdict {
    const account = accounts.byPathId.get(path.slice(accounts.path.length + 1))
    const signed = readSignedBody(body)
    if (!signed) return { kind: 'refused', result: 'malformed', reason: 'body', answer: answerBluePay('malformed') }
    if (!isSigned(account, signed) || !account) {
      return {
        kind: 'refused',
        result: 'unverified',
        reason: account ? 'signature' : 'account',
        answer: answerBluePay('unverified'),
      }
    }
    return { kind: 'verified', notification: describe(account, signed, body), answer: answerBluePay }
  }

  function describe({ account, merchantId, style, zone }: BluePayAccount, signed: SignedBody, body: Buffer): Notification {
    const fields = notificationOf(style, signed)
    const key = fields && deduplicationKey('bluepay', fields)
    return {
      client: account,
      account,
      key: key && hasKey(key) ? identity.partitionKey('bluepay', account, key) : identity.unreadableKey('bluepay', account, body),
      headers: {
        [header.merchantId]: merchantId,
        [header.accountStyle]: style,
        ...(zone === undefined ? {} : { [header.defaultZone]: zone }),
        [header.contentHash]: identity.contentHash('bluepay', account, fields ?? Buffer.from(signed.param ?? '')),
      },
    }
  }

  return { provider: 'bluepay', deadlineMs, refuse: answerBluePay, check }
}

/** The business fields: what was signed, and nothing that merely lay beside it. */
function notificationOf(style: 'param' | 'flat', { param = '', fields }: SignedBody): Fields | undefined {
  if (style === 'param') {
    const reading = readJsonObject(param)
    return 'fields' in reading ? reading.fields : undefined
  }
  const { sign: _, ...notification } = fields
  return notification
}
