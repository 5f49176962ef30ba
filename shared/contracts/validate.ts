import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import alipayplusNotification from './schemas/alipayplus-notification.schema.json' with { type: 'json' }
import bluepayNotification from './schemas/bluepay-notification.schema.json' with { type: 'json' }
import duplicate from './schemas/duplicate.schema.json' with { type: 'json' }
import merchant from './schemas/merchant.schema.json' with { type: 'json' }
import merchantSync from './schemas/merchant-sync.schema.json' with { type: 'json' }
import tokenEvent from './schemas/token-event.schema.json' with { type: 'json' }
import tokenState from './schemas/token-state.schema.json' with { type: 'json' }
import type {
  AlipayPlusNotification,
  BluePayNotification,
  Duplicate,
  Merchant,
  MerchantSync,
  TokenEvent,
  TokenState,
} from './types.ts'

/** A value of its schema, or everything that is wrong with it: paths and rules, never a value, since a value may be a secret. */
export type Checked<T> = { value: T } | { mistakes: string[] }

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
formats.default(ajv, ['date-time', 'uri'])
ajv.addSchema([alipayplusNotification, bluepayNotification, duplicate, merchant, merchantSync, tokenEvent, tokenState])

/** Compiles at the first call: a process pays for the schemas it uses. */
function checker<T>({ $id }: { $id: string }): (value: unknown) => Checked<T> {
  let validate: ValidateFunction<T> | undefined
  return (value) => {
    validate ??= ajv.getSchema<T>($id) as ValidateFunction<T>
    return validate(value) ? { value } : { mistakes: describe(validate.errors ?? []) }
  }
}

export const checkAlipayPlusNotification = checker<AlipayPlusNotification>(alipayplusNotification)
export const checkBluePayNotification = checker<BluePayNotification>(bluepayNotification)
export const checkTokenEvent = checker<TokenEvent>(tokenEvent)
export const checkTokenState = checker<TokenState>(tokenState)
export const checkMerchantSync = checker<MerchantSync>(merchantSync)
export const checkDuplicate = checker<Duplicate>(duplicate)
const checkMerchantShape = checker<Merchant>(merchant)

/** The value of a record of `token-events.v1`. */
export function readTokenEvent(value: Buffer | null): Checked<TokenEvent> {
  try {
    return checkTokenEvent(JSON.parse(value?.toString('utf8') ?? ''))
  } catch {
    return { mistakes: ['not JSON'] }
  }
}

/** Besides the schema: subscription ids are part of sync ids, so one merchant cannot have the same one twice. */
export function checkMerchant(value: unknown): Checked<Merchant> {
  const checked = checkMerchantShape(value)
  if ('mistakes' in checked) return checked
  const { subscriptions } = checked.value
  const distinct = new Set(subscriptions.map(({ id }) => id))
  return distinct.size === subscriptions.length ? checked : { mistakes: ['/subscriptions must NOT have the same id twice'] }
}

/** `if` and `anyOf` only say that one of their branches failed; the branch says more. */
function describe(errors: ErrorObject[]): string[] {
  const telling = errors.filter(({ keyword }) => keyword !== 'if' && keyword !== 'anyOf')
  return [...new Set(telling.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`))]
}
