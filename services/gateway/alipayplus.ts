/** Alipay+ `authNotify`, by `providers.md` §2: whose it is, where it goes, what to answer. */
import { deduplicationKey, hasKey, textOf } from '../../shared/contracts/deduplication-key.ts'
import { header } from '../../shared/contracts/headers.ts'
import { readJsonObject } from '../../shared/contracts/read-json.ts'
import type { Identity } from '../../shared/security/identity.ts'
import type { AlipayPlusAccounts, Client } from './accounts.ts'
import { readSignedHeaders, type SignedHeaders } from './alipayplus-headers.ts'
import { createAnswerSigner } from './answer-signer.ts'
import type { Answer, Notification, ProviderRoute, Received, Result, Verdict } from './provider-route.ts'
import { parseRequestTime } from './request-time.ts'
import type { VerifyingKey } from './rsa-keys.ts'
import type { SignatureCheck } from './signature-check.ts'

const maxAheadMs = 10 * 60 * 1000
const callAgain = { status: 200, code: 'UNKNOWN_EXCEPTION', resultStatus: 'U', message: 'Not stored. Please call again.' }

/** `S` ends Alipay+'s retries, `U` asks for them. HTTP is 200 but for what is no notification at all (`providers.md` §2.5). */
const answers: Record<Result, { status: number; code: string; resultStatus: string; message: string }> = {
  accepted: { status: 200, code: 'SUCCESS', resultStatus: 'S', message: 'success' },
  unverified: { status: 200, code: 'INVALID_SIGNATURE', resultStatus: 'F', message: 'The signature is invalid.' },
  malformed: { status: 400, code: 'PARAM_ILLEGAL', resultStatus: 'F', message: 'The request cannot be read.' },
  stale: { status: 200, code: 'PARAM_ILLEGAL', resultStatus: 'F', message: 'Request-Time is too old or in the future.' },
  'too-large': { status: 413, code: 'PARAM_ILLEGAL', resultStatus: 'F', message: 'The body is larger than 64 KiB.' },
  'media-type': {
    status: 415,
    code: 'MEDIA_TYPE_NOT_ACCEPTABLE',
    resultStatus: 'F',
    message: 'Plain application/json in UTF-8 only.',
  },
  method: { status: 405, code: 'METHOD_NOT_SUPPORTED', resultStatus: 'F', message: 'POST only.' },
  'unknown-path': { status: 404, code: 'INVALID_API', resultStatus: 'F', message: 'No API has this path.' },
  address: { status: 403, code: 'ACCESS_DENIED', resultStatus: 'F', message: 'This address may not call.' },
  aborted: { status: 400, code: 'PARAM_ILLEGAL', resultStatus: 'F', message: 'The body is incomplete.' },
  busy: callAgain,
  'rate-limited': callAgain,
  unavailable: callAgain,
  failed: callAgain,
}

const bodies = Object.fromEntries(
  Object.entries(answers).map(([result, { code, resultStatus, message }]) => [
    result,
    JSON.stringify({ result: { resultCode: code, resultStatus, resultMessage: message } }),
  ]),
) as Record<Result, string>

const mediaType = { 'Content-Type': 'application/json; charset=UTF-8' }

/** An unsigned answer, for what did not verify. */
export const refuseAlipayPlus = (result: Result): Answer => ({
  status: answers[result].status,
  headers: mediaType,
  body: bodies[result],
})

export function createAlipayPlus(
  accounts: AlipayPlusAccounts,
  options: { identity: Identity; verifies: SignatureCheck; deadlineMs: number; freshnessMs: number },
): ProviderRoute {
  const { identity, verifies, deadlineMs, freshnessMs } = options
  const signAnswer = createAnswerSigner(accounts.path, accounts.signing)
  const unverified = (reason: string): Verdict => ({
    kind: 'refused',
    result: 'unverified',
    reason,
    answer: refuseAlipayPlus('unverified'),
  })

  function check({ rawHeaders, body, receivedAt }: Received): Verdict {
    const headers = readSignedHeaders(rawHeaders)
    if (!headers) return unverified('headers')
    const client = accounts.clients.get(headers.clientId)
    const key = client && keyOf(client, headers.keyVersion)
    const signed = Buffer.concat([Buffer.from(`POST ${accounts.path}\n${headers.clientId}.${headers.requestTime}.`), body])
    if (!verifies(key, signed, headers.signature)) return unverified(!client ? 'client' : !key ? 'key' : 'signature')

    const answer = (result: Result, now: number): Answer => {
      const unsigned = refuseAlipayPlus(result)
      return { ...unsigned, headers: { ...mediaType, ...signAnswer(headers.clientId, unsigned.body, now) } }
    }
    // A time that cannot be read says nothing about age, and what verifies is kept.
    const sentAt = parseRequestTime(headers.requestTime)
    const ageMs = sentAt === undefined ? undefined : receivedAt - sentAt
    if (ageMs !== undefined && (ageMs > freshnessMs || ageMs < -maxAheadMs)) {
      return { kind: 'refused', result: 'stale', reason: ageMs > 0 ? 'old' : 'future', answer: answer('stale', receivedAt) }
    }
    const notification = describe(headers, body)
    return { kind: 'verified', notification: ageMs === undefined ? notification : { ...notification, ageMs }, answer }
  }

  function describe({ clientId, requestTime, signatureHeader }: SignedHeaders, body: Buffer): Notification {
    const reading = readJsonObject(body)
    const fields = 'fields' in reading ? reading.fields : undefined
    const account = accountOf(fields?.authClientId) ?? clientId
    const key = fields && deduplicationKey('alipayplus', fields)
    return {
      client: clientId,
      account,
      key:
        key && hasKey(key)
          ? identity.partitionKey('alipayplus', account, key)
          : identity.unreadableKey('alipayplus', account, body),
      headers: {
        [header.httpPath]: accounts.path,
        [header.httpClientId]: clientId,
        [header.httpRequestTime]: requestTime,
        [header.httpSignature]: signatureHeader,
        [header.contentHash]: identity.contentHash('alipayplus', account, fields ?? body),
      },
    }
  }

  return { provider: 'alipayplus', deadlineMs, refuse: refuseAlipayPlus, check }
}

/** An absent version means the only active key; with several there is no telling which. */
function keyOf({ keys }: Client, keyVersion: string | undefined): VerifyingKey | undefined {
  if (keyVersion !== undefined) return keys.get(keyVersion)
  return keys.size === 1 ? keys.values().next().value : undefined
}

/** The body's own client id names the account if it can stand in a Kafka header as it is; else the `Client-Id` does. */
function accountOf(authClientId: unknown): string | undefined {
  const text = textOf(authClientId)
  return text !== undefined && /^[!-~]{1,128}$/.test(text) ? text : undefined
}
