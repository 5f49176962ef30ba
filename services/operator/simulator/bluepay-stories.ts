import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import { digits, type Random, upperAlphanumeric } from './random.ts'
import type { BluepaySender } from './senders.ts'
import { differently, type Story, type StoryMaker, type StoryStep } from './story.ts'

/** One user of one account; fields in the alphabetical order of the published samples, made-up values. */
function createUser({ channelCode, countryCode, style }: BluepaySender, random: Random) {
  const common: Fields = { channelCode, ...(countryCode ? { countryCode } : {}) }
  const userId = `u${random.text(digits, 12)}`
  // The flat variant may name the login.
  const user: Fields = { userId, ...(style === 'flat' ? { userLoginId: `09${random.text(digits, 9)}` } : {}) }
  const requestId = () => `req${random.text(upperAlphanumeric, 21)}`
  const time = (year: number) => {
    const [month, day, hour] = [random.integer(1, 12), random.integer(1, 28), random.integer(0, 23)].map((n) =>
      String(n).padStart(2, '0'),
    )
    return `${year}-${month}-${day} ${hour}:10:35`
  }

  return {
    requestId,
    token: () => `TK${random.text(upperAlphanumeric, 18)}`,
    created: (requestId: string, paytoken: string): Fields => ({
      ...common,
      eventName: 'token.create.success',
      expiresTime: time(2034),
      paytoken,
      requestId,
      tokenStatus: 'ACTIVED',
      ...user,
    }),
    failed: (requestId: string): Fields => ({ ...common, eventName: 'token.create.failed', requestId, ...user }),
    canceled: (requestId: string, paytoken?: string): Fields => ({
      ...common,
      eventName: 'token.cancel.success',
      inactiveTime: time(2026),
      inactiveType: random.pick(['MCH_CANCEL', 'USER_CANCEL', 'EXPIRED', 'PLATFORM_CANCEL']),
      ...(paytoken ? { paytoken } : {}),
      requestId,
      tokenStatus: 'INACTIVED',
      ...user,
    }),
  }
}
type User = ReturnType<typeof createUser>

const step = (kind: StoryStep['kind'], content: Fields, otherField: string): StoryStep => ({
  kind,
  content,
  other: differently(content, otherField),
})
const created = (user: User, requestId: string, token: string) =>
  step('token.create.success', user.created(requestId, token), 'expiresTime')
const failed = (user: User) => step('token.create.failed', user.failed(user.requestId()), 'failedReason')
const canceled = (user: User, requestId: string, token?: string) =>
  step('token.cancel.success', user.canceled(requestId, token), 'inactiveTime')

const stories: ((user: User) => Story)[] = [
  (user) => {
    const [requestId, token] = [user.requestId(), user.token()]
    return [created(user, requestId, token), canceled(user, requestId, token)]
  },
  (user) => {
    const [requestId, token] = [user.requestId(), user.token()]
    return [created(user, requestId, token), canceled(user, requestId, token)]
  },
  // The second try works.
  (user) => [failed(user), created(user, user.requestId(), user.token())],
  // `paytoken` is optional, also in a cancellation.
  (user) => [canceled(user, user.requestId())],
]

const odd: ((user: User) => Story)[] = [
  // Payment notifications may hit the same URL.
  (user) => [{ kind: 'unknown-type', content: { ...user.failed(user.requestId()), eventName: 'direct.debit.success' } }],
  (user) => [{ kind: 'missing-field', content: { ...user.failed(user.requestId()), channelCode: undefined } }],
]

/** `param` is a text of its own, so it can be broken inside a body that verifies; the flat style has no such place. */
const unreadable = (user: User): Story => [
  { kind: 'unreadable', content: JSON.stringify(user.failed(user.requestId())).slice(0, -10) },
]

/** What BluePay and PayCools tell. */
export const bluepayStories: StoryMaker<BluepaySender> = {
  stories: stories.map((story) => (sender, random) => story(createUser(sender, random))),
  odd: [...odd, unreadable].map((story) => (sender, random) => {
    const maker = story === unreadable && sender.style === 'flat' ? (odd[0] as typeof unreadable) : story
    return maker(createUser(sender, random))
  }),
}
