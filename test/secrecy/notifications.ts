/** All six kinds of notification, and what ends as dead letters: every credential, every personal and every unknown field is a canary. */
import { randomUUID } from 'node:crypto'
import type { Canaries } from './canaries.ts'
import type { Fields, Notification } from './providers.ts'

/** `secrets`: what must open from `sealed`. */
export type Change = { name: string; notification: Notification; secrets: Record<string, string> }

const token = { accessTokenExpiryTime: '2034-06-06T12:12:12+08:00', refreshTokenExpiryTime: '2035-06-06T12:12:12+08:00' }

export function createNotifications(canaries: Canaries) {
  const { make } = canaries
  const secrets = (...names: string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, make(name)]))
  const unknown = () => ({
    undocumentedField: make('unknown field'),
    extendInfo: { deep: [{ note: make('unknown field inside') }] },
  })

  function alipayPlus(type: string, known: Record<string, string>, more: Fields = {}): Change {
    const content = {
      authorizationNotifyType: type,
      authClientId: 'canary-auth-client',
      referenceMerchantId: 'M-canary',
      ...known,
      ...more,
    }
    // Alipay+ has no userId; Antom does, so it may come as an unknown field.
    return {
      name: type,
      notification: { account: 'alipayplus', content: { ...content, userId: make('userId'), ...unknown() } },
      secrets: known,
    }
  }

  function bluePay(account: 'param' | 'flat', eventName: string, known: Record<string, string>, more: Fields = {}): Change {
    const { accessToken: paytoken, ...personal } = known
    const content = {
      eventName,
      channelCode: 'PH_GCASH_DIRECT_DEBIT',
      countryCode: 'PH',
      requestId: randomUUID().replaceAll('-', ''),
      ...(paytoken === undefined ? {} : { paytoken }),
      ...personal,
      ...more,
      undocumentedField: make('unknown field'),
    }
    return { name: `${eventName} (${account})`, notification: { account, content }, secrets: known }
  }

  function tokenLife(): Change[] {
    const created = secrets('accessToken', 'refreshToken', 'authState', 'customerId', 'userLoginId')
    const { accessToken = '' } = created
    return [
      alipayPlus('TOKEN_CREATED', created, {
        ...token,
        scopes: ['AGREEMENT_PAY'],
        walletForAccountBinding: { walletName: 'Wallet' },
      }),
      alipayPlus('TOKEN_CANCELED', { accessToken, ...secrets('customerId', 'userLoginId') }, { tokenCancelSource: 'PSP' }),
    ]
  }

  function paytokenLife(account: 'param' | 'flat'): Change[] {
    const created = secrets('accessToken', 'userId', 'userLoginId')
    return [
      bluePay(account, 'token.create.success', created, { tokenStatus: 'ACTIVED', expiresTime: '2034-09-18 18:10:35' }),
      bluePay(account, 'token.create.failed', secrets('userId', 'userLoginId')),
      bluePay(
        account,
        'token.cancel.success',
        { ...created },
        { inactiveType: 'USER_CANCEL', inactiveTime: '2026-09-18 18:10:35' },
      ),
    ]
  }

  return {
    /** Each a change of its own, in an order in which they may come. */
    changes(): Change[] {
      const [late, canceledFirst] = tokenLife() as [Change, Change]
      return [
        alipayPlus('AUTHCODE_CREATED', secrets('authCode', 'authState', 'customerId', 'userLoginId')),
        ...tokenLife(),
        canceledFirst,
        late,
        ...paytokenLife('param'),
        ...paytokenLife('flat'),
      ]
    },
    /** One of each provider. */
    few: (): Change[] => [tokenLife()[0] as Change, paytokenLife('param')[0] as Change],
    /** The same change told differently: other secrets in the fields that do not make its identity. */
    conflictOf({ notification, name }: Change): Notification {
      const content = { ...(notification.content as Fields) }
      for (const field of ['refreshToken', 'authState', 'customerId', 'userLoginId', 'undocumentedField']) {
        if (field in content) content[field] = make(`conflict of ${name}: ${field}`)
      }
      return { ...notification, content }
    },
    deadLetters(): Notification[] {
      const fields = () =>
        alipayPlus('TOKEN_CREATED', secrets('accessToken', 'refreshToken', 'authCode', 'authState', 'customerId', 'userLoginId'))
          .notification.content as Fields
      const pay = () =>
        bluePay('param', 'token.create.success', secrets('accessToken', 'userId', 'userLoginId')).notification.content as Fields
      const { accessToken: _, ...withoutToken } = fields()
      const { userId: __, ...withoutUser } = pay()
      const [text, name] = [JSON.stringify(fields()), make('name of a field')]
      const alipayplus = (content: Notification['content']): Notification => ({ account: 'alipayplus', content })
      const param = (content: Notification['content']): Notification => ({ account: 'param', content })
      return [
        alipayplus({ ...fields(), authorizationNotifyType: 'TOKEN_SHARED' }),
        alipayplus({ ...fields(), authorizationNotifyType: make('unknown type') }),
        alipayplus(withoutToken),
        alipayplus({ ...fields(), accessToken: { value: make('token as an object') } }),
        alipayplus({ ...fields(), refreshToken: [make('token as a list')] }),
        alipayplus({ ...fields(), scopes: make('scopes as text') }),
        alipayplus({ ...fields(), walletForAccountBinding: make('wallet as text') }),
        alipayplus({ ...fields(), customerId: make('long customer').repeat(200) }),
        alipayplus(text.slice(0, -3)),
        alipayplus(`[${text}]`),
        alipayplus(Buffer.concat([Buffer.from(text), Buffer.from([0xff])])),
        alipayplus(`{${JSON.stringify(name)}:1,${JSON.stringify(name)}:2,${text.slice(1)}`),
        param({ ...pay(), eventName: make('unknown event') }),
        param(withoutUser),
        param({ ...pay(), paytoken: { value: make('paytoken as an object') } }),
        param(JSON.stringify(pay()).slice(0, -5)),
      ]
    },
  }
}
