import { Ajv2020 } from 'ajv/dist/2020.js'

/** A public key with its text here or in a file beside the accounts file; exactly one of the two. */
export type KeyEntry = { state: 'active' | 'retired'; publicKey?: string; publicKeyFile?: string }

/** The accounts file as it is written (YAML or JSON). */
export type AccountsFile = {
  /** Keys made on the spot or published: refused together with brokers that are not on loopback. */
  development?: boolean
  alipayplus?: {
    /** The path exactly as Alipay+ calls it, because Alipay+ signs it. */
    path: string
    /** Our own key: answers are signed with it. */
    signing: { keyVersion: string; privateKey?: string; privateKeyFile?: string }
    clients: { clientId: string; keys: (KeyEntry & { version: string })[] }[]
  }
  bluepay?: {
    /** Notifications arrive at `<path>/<pathId>`. */
    path: string
    accounts: {
      account: string
      /** Opaque, at least 128 random bits: it tells accounts apart where the platform signs for several with one key. Never logged. */
      pathId: string
      merchantId: string
      style: 'param' | 'flat'
      zone?: string
      keys: KeyEntry[]
    }[]
  }
}

export const pathIdPattern = '^[A-Za-z0-9_-]{22,128}$'

const text = { type: 'string', minLength: 1 }
/** Unreserved characters only, so that a path has one spelling and needs no escaping in a route. */
const path = { type: 'string', pattern: '^(/(?!\\.{1,2}(/|$))[A-Za-z0-9._~-]+)+$', maxLength: 200 }
const closed = (required: string[], properties: Record<string, unknown>) => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
})
const key = (required: string[], more: Record<string, unknown>) =>
  closed(['state', ...required], { state: { enum: ['active', 'retired'] }, publicKey: text, publicKeyFile: text, ...more })
const version = { type: 'string', pattern: '^[A-Za-z0-9._-]{1,32}$' }
const listOf = (items: object) => ({ type: 'array', minItems: 1, items })

const validate = new Ajv2020({ allErrors: true }).compile<AccountsFile>({
  ...closed([], {
    development: { type: 'boolean' },
    alipayplus: closed(['path', 'signing', 'clients'], {
      path,
      signing: closed(['keyVersion'], { keyVersion: version, privateKey: text, privateKeyFile: text }),
      clients: listOf(
        closed(['clientId', 'keys'], {
          clientId: { type: 'string', pattern: '^[!-~]{1,128}$' },
          keys: listOf(key(['version'], { version })),
        }),
      ),
    }),
    bluepay: closed(['path', 'accounts'], {
      path,
      accounts: listOf(
        closed(['account', 'pathId', 'merchantId', 'style', 'keys'], {
          account: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
          pathId: { type: 'string', pattern: pathIdPattern },
          merchantId: { type: 'string', pattern: '^[!-~]{1,128}$' },
          style: { enum: ['param', 'flat'] },
          zone: { type: 'string', pattern: '^[+-](0[0-9]|1[0-4]):[0-5][0-9]$' },
          keys: listOf(key([], {})),
        }),
      ),
    }),
  }),
  minProperties: 1,
})

/** The file if its shape is right, else every mistake in it. A mistake names places and rules, never a value. */
export function checkShape(value: unknown): { file: AccountsFile } | { mistakes: string[] } {
  if (validate(value)) return { file: value }
  const mistakes = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const place = instancePath || '/'
    if ('additionalProperty' in params) return `${place} has a member that is not known here${named(params.additionalProperty)}`
    if ('allowedValues' in params) return `${place} must be one of ${params.allowedValues.join(', ')}`
    return `${place} ${message}${params.type === 'string' ? ' (write it in quotes)' : ''}`
  })
  return { mistakes }
}

/** A name of a member is shown only if it looks like one: a slip of indentation can put a key's text there. */
const named = (name: string) => (/^[A-Za-z]{1,24}$/.test(name) ? `: ${name}` : '')
