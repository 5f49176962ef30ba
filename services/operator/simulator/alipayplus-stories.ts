import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import type { AlipayplusClient } from './notification.ts'
import { digits, type Random, upperHex } from './random.ts'
import { differently, type Story, type StoryMaker } from './story.ts'

type Wallet = { name: string; acquirerId: string; pspId: string; loginPrefix: string }

const wallets: Wallet[] = [
  { name: 'AlipayCN', acquirerId: '1021234567891230001', pspId: '1021234567891230002', loginPrefix: '86-' },
  { name: 'GCash', acquirerId: '1021234567891230001', pspId: '1021234567891230003', loginPrefix: '63-' },
  { name: 'TrueMoney', acquirerId: '1021234567891230001', pspId: '1021234567891230004', loginPrefix: '66-' },
]

/** One user binding one wallet at one merchant; every field as in the reference page's samples, with values made up. */
function createBinding(client: AlipayplusClient, random: Random) {
  const wallet = random.pick(wallets)
  const { authClientId, referenceMerchantId } = random.pick(client.merchants)
  const merchant: Fields = { authClientId, ...(referenceMerchantId ? { referenceMerchantId } : {}) }
  const ids: Fields = { acquirerId: wallet.acquirerId, pspId: wallet.pspId }
  const referenceAgreementId = `agr${random.text(upperHex, 20)}`
  const customerId = `2789808${random.text(digits, 20)}`
  const userLoginId = `${wallet.loginPrefix}${random.text(digits, 8)}`
  const token = () => `2810100${random.text(upperHex, 40)}`
  const time = (year: number) => {
    const [month, day, hour] = [random.integer(1, 12), random.integer(1, 28), random.integer(0, 23)].map((n) =>
      String(n).padStart(2, '0'),
    )
    return `${year}-${month}-${day}T${hour}:12:12${random.pick(['+08:00', '+08:00', '+05:30', 'Z'])}`
  }

  return {
    token,
    codeCreated: (): Fields => ({
      authorizationNotifyType: 'AUTHCODE_CREATED',
      ...merchant,
      authCode: `2810101${random.text(upperHex, 24)}`,
      authState: random.text(upperHex, 32),
      referenceAgreementId,
      ...ids,
    }),
    tokenCreated: (accessToken: string): Fields => ({
      authorizationNotifyType: 'TOKEN_CREATED',
      ...merchant,
      referenceAgreementId,
      accessToken,
      accessTokenExpiryTime: time(2028),
      refreshToken: token(),
      refreshTokenExpiryTime: time(2029),
      scopes: random.pick([['AGREEMENT_PAY', 'USER_LOGIN_ID'], ['AGREEMENT_PAY']]),
      customerId,
      userLoginId,
      ...ids,
      walletForAccountBinding: {
        walletName: wallet.name,
        walletBrandName: wallet.name,
        walletLogo: { logoName: wallet.name, logoUrl: `https://www.alipayplus.com/logo/${wallet.name}.png` },
      },
    }),
    tokenCanceled: (accessToken: string): Fields => ({
      authorizationNotifyType: 'TOKEN_CANCELED',
      ...merchant,
      accessToken,
      tokenCancelSource: random.pick(['ACQUIRER', 'PSP']),
      ...ids,
    }),
  }
}
type Binding = ReturnType<typeof createBinding>

const steps = {
  code: (binding: Binding) => {
    const content = binding.codeCreated()
    return { kind: 'AUTHCODE_CREATED', content, other: differently(content, 'authState') } as const
  },
  created: (binding: Binding, token: string) => {
    const content = binding.tokenCreated(token)
    return { kind: 'TOKEN_CREATED', content, other: differently(content, 'refreshToken') } as const
  },
  canceled: (binding: Binding, token: string) => {
    const content = binding.tokenCanceled(token)
    const tokenCancelSource = content.tokenCancelSource === 'PSP' ? 'ACQUIRER' : 'PSP'
    return { kind: 'TOKEN_CANCELED', content, other: { ...content, tokenCancelSource } } as const
  },
}

const stories: ((binding: Binding) => Story)[] = [
  (binding) => {
    const token = binding.token()
    return [steps.code(binding), steps.created(binding, token), steps.canceled(binding, token)]
  },
  (binding) => {
    const token = binding.token()
    return [steps.code(binding), steps.created(binding, token), steps.canceled(binding, token)]
  },
  // A code that nobody exchanged.
  (binding) => [steps.code(binding)],
  // A refresh: a second token under the same agreement.
  (binding) => {
    const [first, second] = [binding.token(), binding.token()]
    return [steps.created(binding, first), steps.created(binding, second), steps.canceled(binding, second)]
  },
]

const odd: ((binding: Binding) => Story)[] = [
  (binding) => [{ kind: 'unknown-type', content: { ...binding.codeCreated(), authorizationNotifyType: 'TOKEN_SUSPENDED' } }],
  (binding) => [{ kind: 'missing-field', content: { ...binding.tokenCreated(binding.token()), accessToken: undefined } }],
  (binding) => [{ kind: 'unreadable', content: JSON.stringify(binding.codeCreated()).slice(0, -10) }],
]

/** What Alipay+ tells: of bindings, and now and then something that nobody can understand. */
export const alipayplusStories: StoryMaker<AlipayplusClient> = {
  stories: stories.map((story) => (client, random) => story(createBinding(client, random))),
  odd: odd.map((story) => (client, random) => story(createBinding(client, random))),
}
