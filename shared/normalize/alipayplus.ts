import { textOf } from '../contracts/deduplication-key.ts'
import { header } from '../contracts/headers.ts'
import type { AlipayPlusNotification, Cancellation, EventToken, TokenEventType } from '../contracts/types.ts'
import { checkAlipayPlusNotification } from '../contracts/validate.ts'
import { type Mistake, meaning, type Reading, readNotification, unlessEmpty } from './reading.ts'
import { instantOf } from './times.ts'

type NotifyType = AlipayPlusNotification['authorizationNotifyType']

const kinds: Record<NotifyType, { type: TokenEventType; status: EventToken['status'] }> = {
  AUTHCODE_CREATED: { type: 'authorization-code.created', status: 'unknown' },
  TOKEN_CREATED: { type: 'token.created', status: 'active' },
  TOKEN_CANCELED: { type: 'token.canceled', status: 'inactive' },
}

/** PSP: its user or its back office, which cannot be told apart. */
const cancelSources: Record<string, Cancellation['source']> = { ACQUIRER: 'merchant', PSP: 'wallet' }

/** An Alipay+ `authNotify` body as a token event. The body has no time of its own; `Request-Time` is the time of sending. */
export function readAlipayPlus(body: Buffer, headers: Record<string, string>): Reading | Mistake {
  const read = readNotification('alipayplus', body, checkAlipayPlusNotification)
  if ('reason' in read) return read
  const { key, notification } = read
  const { type, status } = kinds[notification.authorizationNotifyType]
  const authClientId = textOf(notification.authClientId)
  const customer = textOf(notification.customerId)
  const raw = {
    type: notification.authorizationNotifyType,
    cancelSource: textOf(notification.tokenCancelSource),
    expiresAt: textOf(notification.accessTokenExpiryTime),
    refreshExpiresAt: textOf(notification.refreshTokenExpiryTime),
    notifiedAt: textOf(headers[header.httpRequestTime]),
  }
  const source = meaning(cancelSources, raw.cancelSource) ?? 'unknown'
  return {
    key,
    said: {
      type,
      merchantId: textOf(notification.referenceMerchantId) ?? authClientId,
      authClientId,
      acquirerId: textOf(notification.acquirerId),
      pspId: textOf(notification.pspId),
      agreementId: textOf(notification.referenceAgreementId),
      cancellation: type === 'token.canceled' ? { source } : undefined,
      wallet: walletOf(notification),
      raw,
    },
    token: {
      status,
      expiresAt: instantOf(raw.expiresAt),
      refreshExpiresAt: instantOf(raw.refreshExpiresAt),
      scopes: notification.scopes?.length ? [...notification.scopes] : undefined,
    },
    times: { notifiedAt: instantOf(raw.notifiedAt), zoneAssumed: false },
    customer,
    credentials: {
      accessToken: textOf(notification.accessToken),
      refreshToken: textOf(notification.refreshToken),
      authCode: textOf(notification.authCode),
      authState: textOf(notification.authState),
      customerId: customer,
      userLoginId: textOf(notification.userLoginId),
    },
  }
}

function walletOf({ walletForAccountBinding: wallet }: AlipayPlusNotification) {
  if (!wallet) return undefined
  const logo = wallet.walletLogo || undefined
  return unlessEmpty({
    name: textOf(wallet.walletName),
    brandName: textOf(wallet.walletBrandName),
    logoName: textOf(logo?.logoName),
    logoUrl: textOf(logo?.logoUrl),
  })
}
