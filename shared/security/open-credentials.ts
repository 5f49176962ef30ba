/** Credentials and personal fields inside an event, opened: the half of the seal that subscribers have. JWE `dir` / `A256GCM`. */
import type { Provider } from '../contracts/topics.ts'
import { decrypt, parse } from './jwe.ts'
import { type KeyRing, UnknownKeyError } from './keys.ts'

/** What is sealed: only what was received is present. */
export type Credentials = {
  accessToken?: string
  refreshToken?: string
  authCode?: string
  authState?: string
  userId?: string
  customerId?: string
  userLoginId?: string
}

/** Whose credentials they are: any TokenEvent says it. */
export type CredentialsContext = { provider: Provider; account: string; eventId: string }

/** `ctx` of the protected header, which is the additional data of the JWE. */
export const contextOf = ({ provider, account, eventId }: CredentialsContext) => ['credentials', provider, account, eventId]

/** Opens `sealed` of a TokenEvent. Undefined: altered, or another event's. Throws UnknownKeyError for an unknown kid. */
export function openCredentials(ring: KeyRing, context: CredentialsContext, sealed: string): Credentials | undefined {
  const parts = parse(sealed)
  if (parts?.header.alg !== 'dir' || JSON.stringify(parts.header.ctx) !== JSON.stringify(contextOf(context))) return undefined
  const entry = ring.keys.find(({ kid }) => kid === parts.header.kid)
  if (!entry) throw new UnknownKeyError(parts.header.kid, 'credentials')
  const plaintext = decrypt(parts, entry.key)
  return plaintext && (JSON.parse(plaintext.toString('utf8')) as Credentials)
}
