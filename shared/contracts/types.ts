/** Generated from shared/contracts/schemas by `npm run generate`: change the schemas, not this file. */

/**
 * A field sent as text. Integers only as far as every reader keeps their digits (2^53 - 1). The length is our limit, far above any documented one.
 */
export type Text = string | number | boolean | null

/**
 * A field that must have a value.
 */
export type PresentText = string | number | boolean

/**
 * How an unused field that is no text may be sent.
 */
export type Nothing = null | ''

/**
 * walletForAccountBinding.
 */
export interface AlipayPlusWallet {
  /**
   * Name of the wallet.
   */
  walletName?: Text
  /**
   * Brand name of the wallet.
   */
  walletBrandName?: Text
  /**
   * Logo of the wallet.
   */
  walletLogo?: AlipayPlusWalletLogo | Nothing
}

/**
 * walletLogo.
 */
export interface AlipayPlusWalletLogo {
  /**
   * Name of the logo.
   */
  logoName?: Text
  /**
   * Address of the logo; not checked.
   */
  logoUrl?: Text
}

/**
 * The body of an Alipay+ authNotify request, as it is accepted. Source: docs.alipayplus.com, 'Receive authorization notification' (integration_auto_debit_acq_tile/receive_authorization_notification) and the authNotify API page (api_acq_tile/auth_notify). There is no notification id and no time of the event in it. Missing, null and "" are one; integers and booleans come as strings or as such; fields not listed here are accepted and stay in the raw record.
 */
export interface AlipayPlusNotification {
  /**
   * What happened. Required. Page: authNotify.
   */
  authorizationNotifyType: 'AUTHCODE_CREATED' | 'TOKEN_CREATED' | 'TOKEN_CANCELED'
  /**
   * Id that the acquirer gave to the auth client, usually the merchant. Required; documented length 64. Page: authNotify.
   */
  authClientId: PresentText
  /**
   * Merchant id on the acquirer's side. In every sample; whether it is required is not documented.
   */
  referenceMerchantId?: Text
  /**
   * Id that Alipay+ gave to the acquirer. In every sample; documented length 64 (notifyPayment page).
   */
  acquirerId?: Text
  /**
   * Id that Alipay+ gave to the wallet's provider (MPP). In every sample; documented length 64 (applyToken page).
   */
  pspId?: Text
  /**
   * Agreement reference of the prepare request. In created samples, absent in canceled ones; repeats when a token is refreshed.
   */
  referenceAgreementId?: Text
  /**
   * Secret. Code to exchange for a token (applyToken). Required for AUTHCODE_CREATED. Page: scenario 1.
   */
  authCode?: Text
  /**
   * Secret. authState of the prepare request. With AUTHCODE_CREATED; Antom also sends it with TOKEN_CREATED. Page: scenario 1.
   */
  authState?: Text
  /**
   * Personal. The wallet's id of its user, when the authorization was successful. Page: scenarios 1 and 2.
   */
  customerId?: Text
  /**
   * Secret. The token that was made or revoked. Required for TOKEN_CREATED and TOKEN_CANCELED; documented length 128 (cancelToken page).
   */
  accessToken?: Text
  /**
   * When the access token ends: ISO 8601 with offset. TOKEN_CREATED. Page: scenario 2.
   */
  accessTokenExpiryTime?: Text
  /**
   * Secret. Asks for a new access token. TOKEN_CREATED. Page: scenario 2.
   */
  refreshToken?: Text
  /**
   * When the refresh token ends: ISO 8601 with offset. TOKEN_CREATED. Page: scenario 2.
   */
  refreshTokenExpiryTime?: Text
  /**
   * What the token allows; AGREEMENT_PAY and USER_LOGIN_ID in the sample, an open set. TOKEN_CREATED. Page: scenario 2.
   */
  scopes?: string[] | Nothing
  /**
   * Personal. The user's login, for instance a telephone number. TOKEN_CREATED. Page: scenario 2.
   */
  userLoginId?: Text
  /**
   * The wallet that the user chose; only if the token was made. Page: scenario 2.
   */
  walletForAccountBinding?: AlipayPlusWallet | Nothing
  /**
   * Who began the unbinding: ACQUIRER (merchant side) or PSP (wallet side); other values are accepted. TOKEN_CANCELED. Page: scenario 3.
   */
  tokenCancelSource?: Text
}

/**
 * The fields of a BluePay / PayCools authorization notification, as they are accepted: the JSON text in `param` of {param, sign}, or, in the flat style, the body without `sign`. Sources: jtdocs.bluepay.asia/en/DirectDebit/Notification.html (JT), docs.paycools.com/en/v2/DirectDebit/Notification.html (v2), jtdoc.paycools.com/DirectDebit/Notification.html (flat). No merchant, no notification id and no time of the event (but inactiveTime) are in it. Missing, null and "" are one; integers and booleans come as strings or as such; fields not listed here are accepted and stay in the raw record.
 */
export interface BluePayNotification {
  /**
   * What happened. Required. Pages: JT, v2, flat.
   */
  eventName: 'token.create.success' | 'token.create.failed' | 'token.cancel.success'
  /**
   * Personal. The merchant's own id of its user. Required, 1 to 32 characters in the apply request. Pages: JT, v2, flat.
   */
  userId: PresentText
  /**
   * The merchant's request id, alphanumeric, at most 32 characters. Required by JT and v2, optional by flat: a failed creation needs it, the other two need it or paytoken.
   */
  requestId?: Text
  /**
   * The payment channel, for instance PH_GCASH_DIRECT_DEBIT. Required. Pages: JT, v2, flat.
   */
  channelCode: PresentText
  /**
   * PH, ID, MY, TH. Required by v2 and flat, absent in JT.
   */
  countryCode?: Text
  /**
   * Secret. The token that was made or canceled. Optional by every page.
   */
  paytoken?: Text
  /**
   * ACTIVED or INACTIVED (so spelled); ACTIVE, INACTIVE and other values are accepted.
   */
  tokenStatus?: Text
  /**
   * When the token ends: yyyy-MM-dd HH:mm:ss, no zone.
   */
  expiresTime?: Text
  /**
   * When the token became inactive: yyyy-MM-dd HH:mm:ss, no zone.
   */
  inactiveTime?: Text
  /**
   * Why: MCH_CANCEL, USER_CANCEL, EXPIRED; PLATFORM_CANCEL by the token query page; other values are accepted.
   */
  inactiveType?: Text
  /**
   * Personal. The user's login at the wallet. Page: flat.
   */
  userLoginId?: Text
}

/**
 * topic/partition/offset of a record.
 */
export type PositionText = string

/**
 * A normalized record that was not published because an earlier one holds its event id. Value of token-events.duplicates.v1 (UTF-8 JSON). Positions are topic/partition/offset.
 */
export interface Duplicate {
  /**
   * The change that was reported again.
   */
  eventId: string
  /**
   * The raw record of this copy.
   */
  origin: PositionText
  /**
   * The normalized record of this copy.
   */
  position: PositionText
  /**
   * The normalized record that was published instead.
   */
  holder: PositionText
  /**
   * true: the business fields of this copy differ from the holder's (content hashes differ).
   */
  conflict: boolean
}

/**
 * One token event for one subscription of one merchant. Value of merchant-sync.v1 (UTF-8 JSON; headers: CloudEvents 1.0 Kafka binding, binary mode). Within v1 only optional members are added: ignore the ones you do not know.
 */
export interface MerchantSync {
  /**
   * <eventId>.<merchantId>.<subscriptionId>: the same on every delivery attempt and on every replay.
   */
  syncId: string
  /**
   * Key of the merchant's entry in merchants.v1.
   */
  merchantId: string
  /**
   * The merchant's subscription that matched.
   */
  subscriptionId: string
  /**
   * Offset in merchants.v1 of the last registry record that had been applied when this was decided; -1: none, the registry was empty. Unit: records.
   */
  registryOffset: number
  /**
   * The event, as on token-events.v1.
   */
  event: TokenEvent
}

/**
 * Which events a merchant wants, and where: an event must pass every filter that is there. Two that match one event give two syncs.
 */
export interface Subscription {
  /**
   * Unique within the merchant; part of the sync id, so a renamed subscription is another one.
   */
  id: string
  /**
   * false: matches nothing.
   */
  enabled: boolean
  /**
   * Where syncs are delivered: an https URL.
   */
  endpoint?: string
  /**
   * Event types wanted; absent: all.
   */
  types?: TokenEventType[]
  /**
   * Providers wanted; absent: all.
   */
  providers?: EventProvider[]
  /**
   * alipayplus: ids of the wallets wanted, as in an event's pspId; absent: all. Not names: those come only with token.created, and a filter by name would miss every cancellation. An event without pspId does not match, nor does any of bluepay.
   */
  wallets?: string[]
  /**
   * bluepay: codes of the payment channels wanted, as in an event's channel.code, for instance PH_GCASH_DIRECT_DEBIT; absent: all. An event without channel does not match, so none of alipayplus does.
   */
  channels?: string[]
}

/**
 * An entry of the merchant registry. Value of merchants.v1, key merchantId; a null value removes the merchant. An event concerns the merchant if its merchantId is this one or its authClientId is listed here.
 */
export interface Merchant {
  /**
   * The merchant: referenceMerchantId at Alipay+, the configured merchant id of a BluePay account. Visible ASCII, at most 128 characters.
   */
  merchantId: string
  /**
   * For people.
   */
  name?: string
  /**
   * alipayplus: auth clients whose events concern this merchant besides those that name it.
   */
  authClientIds?: string[]
  /**
   * Each one that matches an event gets one merchant sync of it.
   */
  subscriptions: Subscription[]
}

/**
 * 128 bits of an HMAC, in hex.
 */
export type Ref = string

/**
 * ISO 8601 UTC with milliseconds.
 */
export type Instant = string

/**
 * Who reported it.
 */
export type EventProvider = 'alipayplus' | 'bluepay'

/**
 * What happened. A code to exchange for a token exists; a token exists; no token was made; a token was revoked; a token ran out.
 */
export type TokenEventType =
  | 'authorization-code.created'
  | 'token.created'
  | 'token.creation-failed'
  | 'token.canceled'
  | 'token.expired'

/**
 * The token that changed; absent where the notification named none.
 */
export interface EventToken {
  /**
   * Stands for the token wherever the token itself must not be.
   */
  ref: Ref
  /**
   * As the provider says (bluepay: tokenStatus); where it says nothing, what the type implies; unknown: a value nobody documented.
   */
  status: 'active' | 'inactive' | 'unknown'
  /**
   * When the access token ends.
   */
  expiresAt?: Instant
  /**
   * alipayplus: when the refresh token ends.
   */
  refreshExpiresAt?: Instant
  /**
   * alipayplus: what the token allows; an open set.
   *
   * @minItems 1
   */
  scopes?: string[]
}

/**
 * token.canceled and token.expired only.
 */
export interface Cancellation {
  /**
   * alipayplus: ACQUIRER is merchant, PSP is wallet (its user or its back office); bluepay: MCH_CANCEL merchant, USER_CANCEL user, PLATFORM_CANCEL platform, EXPIRED expiry; anything else: unknown.
   */
  source: 'merchant' | 'wallet' | 'user' | 'platform' | 'expiry' | 'unknown'
  /**
   * bluepay: inactiveTime.
   */
  at?: Instant
}

/**
 * alipayplus: the wallet that the user chose.
 */
export interface Wallet {
  /**
   * walletName.
   */
  name?: string
  /**
   * walletBrandName.
   */
  brandName?: string
  /**
   * walletLogo.logoName.
   */
  logoName?: string
  /**
   * walletLogo.logoUrl, as received: not checked, not fetched.
   */
  logoUrl?: string
}

/**
 * bluepay: the payment channel.
 */
export interface Channel {
  /**
   * channelCode, for instance PH_GCASH_DIRECT_DEBIT.
   */
  code: string
  /**
   * countryCode, for instance PH.
   */
  countryCode?: string
}

/**
 * A text that is no time leaves its instant out here and its text in raw.
 */
export interface EventTimes {
  /**
   * When Kafka took the raw notification.
   */
  receivedAt: Instant
  /**
   * alipayplus: Request-Time, when this copy was sent.
   */
  notifiedAt?: Instant
  /**
   * When it happened, where the provider says so (bluepay: inactiveTime of a cancellation).
   */
  occurredAt?: Instant
  /**
   * true: a time of the notification names no zone and was read as +08:00, which nobody configured for the account.
   */
  zoneAssumed: boolean
}

/**
 * The provider's own words, unchanged.
 */
export interface ProviderText {
  /**
   * authorizationNotifyType or eventName.
   */
  type: string
  /**
   * tokenStatus.
   */
  tokenStatus?: string
  /**
   * tokenCancelSource or inactiveType.
   */
  cancelSource?: string
  /**
   * accessTokenExpiryTime or expiresTime.
   */
  expiresAt?: string
  /**
   * refreshTokenExpiryTime.
   */
  refreshExpiresAt?: string
  /**
   * inactiveTime.
   */
  inactiveAt?: string
  /**
   * The header Request-Time.
   */
  notifiedAt?: string
}

/**
 * One change in one token's life, whichever provider reported it. Value of token-events.v1 (UTF-8 JSON; headers: CloudEvents 1.0 Kafka binding, binary mode). Members without a value are left out, never null. Instants are ISO 8601 UTC with milliseconds. Within v1 only optional members are added: ignore the ones you do not know.
 */
export interface TokenEvent {
  /**
   * The change: the same for every copy of it, however often the provider repeats it. 128 bits of an HMAC, in hex.
   */
  eventId: Ref
  type: TokenEventType
  /**
   * true: this created event was accepted after the cancellation of the same token. It revives nothing.
   */
  late: boolean
  provider: EventProvider
  /**
   * Whose notification it is. alipayplus: authClientId (the signing Client-Id where the body had none); bluepay: the configured account's name.
   */
  account: string
  /**
   * The merchant. alipayplus: referenceMerchantId, else authClientId; bluepay: as configured for the account.
   */
  merchantId?: string
  /**
   * alipayplus: authClientId, usually the merchant.
   */
  authClientId?: string
  /**
   * alipayplus: Alipay+'s id of the acquirer.
   */
  acquirerId?: string
  /**
   * alipayplus: Alipay+'s id of the wallet's provider.
   */
  pspId?: string
  /**
   * alipayplus: referenceAgreementId. Repeats when a token is refreshed; absent on cancellations.
   */
  agreementId?: string
  /**
   * bluepay: requestId of the merchant's request.
   */
  requestId?: string
  /**
   * Stands for the user (customerId, userId) of this provider and account. The id itself is sealed.
   */
  customerRef?: Ref
  token?: EventToken
  cancellation?: Cancellation
  wallet?: Wallet
  channel?: Channel
  times: EventTimes
  raw: ProviderText
  /**
   * accessToken, refreshToken, authCode, authState, userId, customerId, userLoginId, as far as received: one JWE (RFC 7516, compact; dir, A256GCM) whose content is JSON. Additional data is its protected header, with ctx: ["credentials", provider, account, eventId]; whoever opens it compares these with the event's.
   */
  sealed?: string
}

/**
 * The latest state of one token. Value of token-states.v1 (UTF-8 JSON; key: tokenRef; compacted). It is what the last event of the token said, and nothing is merged from events before it; a token that has ended stays so, whatever comes later. It holds no credentials and no personal field, sealed or not, because compaction keeps it for ever: in v1 no state is removed. Members without a value are left out, never null. Instants are ISO 8601 UTC with milliseconds. Within v1 only optional members are added: ignore the ones you do not know.
 */
export interface TokenState {
  /**
   * Stands for the token; token.ref of its events, and the key of this record.
   */
  tokenRef: Ref
  /**
   * canceled, expired: it has ended, for good. Else token.status of the event: active, inactive, or unknown (a value nobody documented). No clock is asked: compare expiresAt.
   */
  status: 'active' | 'inactive' | 'unknown' | 'canceled' | 'expired'
  /**
   * The event that made this state.
   */
  eventId: Ref
  /**
   * Its type.
   */
  type: TokenEventType
  /**
   * Who reported it.
   */
  provider: EventProvider
  /**
   * As in the event.
   */
  account: string
  /**
   * As in the event.
   */
  merchantId?: string
  /**
   * As in the event.
   */
  authClientId?: string
  /**
   * As in the event.
   */
  acquirerId?: string
  /**
   * As in the event.
   */
  pspId?: string
  /**
   * As in the event; Alipay+ cancellations name none.
   */
  agreementId?: string
  /**
   * As in the event.
   */
  requestId?: string
  /**
   * When the access token ends by itself.
   */
  expiresAt?: Instant
  /**
   * alipayplus: when the refresh token ends.
   */
  refreshExpiresAt?: Instant
  /**
   * alipayplus: what the token allows; an open set.
   *
   * @minItems 1
   */
  scopes?: string[]
  /**
   * As in the event: canceled and expired only.
   */
  cancellation?: Cancellation
  /**
   * As in the event.
   */
  wallet?: Wallet
  /**
   * As in the event.
   */
  channel?: Channel
  /**
   * The raw record of that event.
   */
  origin: PositionText
  /**
   * That event in token-events.v1. Its partition number is this record's own. Within a partition, later records have higher offsets: who has read the states to their end follows the events from the highest one on.
   */
  position: PositionText
  /**
   * times.receivedAt of that event: when Kafka took the raw notification.
   */
  updatedAt: Instant
}
