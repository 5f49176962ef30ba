import t from 'tap'
import {
  checkAlipayPlusNotification,
  checkBluePayNotification,
  checkDuplicate,
  checkMerchant,
  checkMerchantSync,
  checkTokenEvent,
  checkTokenState,
} from '../../shared/contracts/validate.ts'
import { readSchemas } from './generate-types.ts'

const checks: Record<string, (value: unknown) => object> = {
  AlipayPlusNotification: checkAlipayPlusNotification,
  BluePayNotification: checkBluePayNotification,
  Duplicate: checkDuplicate,
  Merchant: checkMerchant,
  MerchantSync: checkMerchantSync,
  TokenEvent: checkTokenEvent,
  TokenState: checkTokenState,
}

const subscription = { id: 'default', enabled: true }
const mistakesOf = (checked: object) => ('mistakes' in checked ? (checked.mistakes as string[]) : [])

t.test('every schema has its check: its examples pass and come back, with members of a later version too', async (t) => {
  for (const { title, examples } of readSchemas()) {
    const value = { ...(examples as object[])[0], addedLater: { deep: true } }
    t.same(checks[title]?.(value), { value }, title)
    t.not(mistakesOf(checks[title]?.(null) ?? {}).length, 0, title)
  }
})

t.test('all mistakes are told at once, by path and rule, and no value is quoted', async (t) => {
  const canary = 'canary-281010033AB2F588'
  const checked = checkTokenEvent({
    eventId: canary,
    type: canary,
    late: canary,
    provider: canary,
    times: { receivedAt: canary },
  })
  const mistakes = mistakesOf(checked)
  for (const path of ['/eventId', '/type', '/late', '/provider', '/times', '/times/receivedAt'])
    t.ok(
      mistakes.some((mistake) => mistake.startsWith(`${path} `)),
      path,
    )
  t.ok(mistakes.includes("/ must have required property 'account'"))
  t.notMatch(mistakes.join('\n'), canary)
})

t.test('a mistake in a branch is told, not that a branch failed', async (t) => {
  const mistakes = mistakesOf(checkAlipayPlusNotification({ authorizationNotifyType: 'TOKEN_CREATED', authClientId: 'c' }))
  t.same(mistakes, ["/ must have required property 'accessToken'"])
})

t.test('one merchant cannot have a subscription id twice: both would make the same sync id', async (t) => {
  const twice = { merchantId: 'M-1001', subscriptions: [subscription, { ...subscription, enabled: false }] }
  t.same(mistakesOf(checkMerchant(twice)), ['/subscriptions must NOT have the same id twice'])
})

t.test('an endpoint is an https URL without user, password and fragment', async (t) => {
  const withEndpoint = (endpoint: string) => checkMerchant({ merchantId: 'M', subscriptions: [{ ...subscription, endpoint }] })
  for (const good of ['https://shop.example', 'https://shop.example:8443/a?b=c', 'https://shop.example?b=c'])
    t.same(mistakesOf(withEndpoint(good)), [], good)
  const bad = [
    'http://shop.example/',
    'https://',
    'https://a:b@shop.example/',
    'https://shop.example/#x',
    ' https://shop.example/',
  ]
  for (const endpoint of [...bad, 'https://shop .example/', 'javascript:alert(1)'])
    t.not(mistakesOf(withEndpoint(endpoint)).length, 0, endpoint)
})

t.test('merchant and subscription ids can stand in a key, a header and a sync id', async (t) => {
  for (const merchantId of ['', 'a b', 'a\n', 'ä', 'x'.repeat(129)])
    t.not(mistakesOf(checkMerchant({ merchantId, subscriptions: [] })).length, 0, JSON.stringify(merchantId))
  for (const id of ['', 'A', 'a.b', 'x'.repeat(41)])
    t.not(mistakesOf(checkMerchant({ merchantId: 'M', subscriptions: [{ id, enabled: true }] })).length, 0, JSON.stringify(id))
})
