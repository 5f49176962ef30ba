/** Who takes part in the demonstration: two Alipay+ clients, three BluePay accounts, and the merchants behind them. No keys here. */

export const alipayplusPath = '/aps/api/v1/authorizations/authNotify'
export const bluepayPath = '/bluepay/notifications'

/** Alipay+ merchants in the three ways of `providers.md` §2.4: both ids equal, different, and no `referenceMerchantId` at all. */
export const alipayplusClients = [
  {
    clientId: 'SANDBOX_5YC47N2ZQHJ004124',
    keys: [
      { version: '1', state: 'active' },
      { version: '2', state: 'active' },
      { version: '0', state: 'retired' },
    ],
    merchants: [
      { authClientId: '218823863726000000001', referenceMerchantId: '218823863726000000001' },
      { authClientId: '218823863726000000902', referenceMerchantId: '218823863726000000002' },
    ],
  },
  {
    clientId: 'SANDBOX_6ZD58P3ARIK115235',
    keys: [{ version: '1', state: 'active' }],
    merchants: [{ authClientId: '218823863726000000003' }, { authClientId: '218823863726000000004' }],
  },
] as const

/** Both styles, both documented key lengths, and a zone of its own. */
export const bluepayAccounts = [
  {
    account: 'demo-ph',
    merchantId: 'manila-groceries',
    style: 'param',
    bits: 2048,
    zone: undefined,
    channelCode: 'PH_GCASH_DIRECT_DEBIT',
    countryCode: 'PH',
  },
  {
    account: 'demo-th',
    merchantId: 'bangkok-metro',
    style: 'param',
    bits: 4096,
    zone: '+07:00',
    channelCode: 'BLUEPAY_DIRECT_DEBIT',
    countryCode: undefined,
  },
  {
    account: 'demo-jt',
    merchantId: '218823863726000000001',
    style: 'flat',
    bits: 2048,
    zone: undefined,
    channelCode: 'JTWALLET_DIRECT_DEBIT',
    countryCode: 'PH',
  },
] as const

const all = (id: string, place: string) => ({ id, enabled: true, endpoint: `https://${place}.example/token-events` })

/**
 * Registry entries for `operator merchants put`: a merchant on both providers, several subscriptions, filters, one that is switched
 * off. The merchant `218823863726000000004` is left out on purpose: its events concern nobody.
 */
export const demonstrationMerchants = [
  {
    merchantId: '218823863726000000001',
    name: 'Lantern Books',
    authClientIds: ['218823863726000000001'],
    subscriptions: [
      all('shop', 'lantern-books'),
      { ...all('support-desk', 'desk.lantern-books'), types: ['token.canceled', 'token.expired'] },
    ],
  },
  {
    merchantId: '218823863726000000002',
    name: 'Harbour Taxi',
    authClientIds: ['218823863726000000902'],
    subscriptions: [
      all('dispatch', 'harbour-taxi'),
      { ...all('old-system', 'old.harbour-taxi'), enabled: false },
      { ...all('gcash-desk', 'gcash.harbour-taxi'), wallets: ['1021234567891230003'] },
    ],
  },
  {
    merchantId: '218823863726000000003',
    name: 'Blue Kiosk',
    subscriptions: [{ ...all('till', 'blue-kiosk'), types: ['token.created', 'token.canceled'], providers: ['alipayplus'] }],
  },
  {
    merchantId: 'manila-groceries',
    name: 'Manila Groceries',
    subscriptions: [{ ...all('checkout', 'manila-groceries'), channels: ['PH_GCASH_DIRECT_DEBIT'] }],
  },
  {
    merchantId: 'bangkok-metro',
    name: 'Bangkok Metro',
    subscriptions: [{ ...all('gates', 'bangkok-metro'), types: ['token.created', 'token.creation-failed', 'token.expired'] }],
  },
]
