import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'

/** One key of one Alipay+ client, standing for Alipay+ itself. */
export type AlipayplusSender = {
  clientId: string
  keyVersion: string
  state: 'active' | 'retired'
  /** PKCS#8, base64: the provider's own private key. */
  privateKey: string
  /** SPKI, base64: what the gateway signs its answers with. */
  answerPublicKey: string
  path: string
  merchants: { authClientId: string; referenceMerchantId?: string }[]
}

/** One BluePay or PayCools account, standing for the platform. */
export type BluepaySender = {
  account: string
  pathId: string
  path: string
  style: 'param' | 'flat'
  privateKey: string
  channelCode: string
  countryCode?: string
}

/** `simulator.json`: the providers' side of `accounts.yaml`. */
export type Senders = { development: true; alipayplus: AlipayplusSender[]; bluepay: BluepaySender[] }

const text = { type: 'string', minLength: 1 }
const object = (required: string[], optional: Record<string, unknown>, properties: Record<string, unknown> = {}) => ({
  type: 'object',
  required,
  properties: { ...Object.fromEntries(required.map((name) => [name, text])), ...optional, ...properties },
})

const validate = new Ajv2020({ allErrors: true }).compile<Senders>({
  type: 'object',
  required: ['development', 'alipayplus', 'bluepay'],
  properties: {
    development: { const: true },
    alipayplus: {
      type: 'array',
      items: object(['clientId', 'keyVersion', 'privateKey', 'answerPublicKey', 'path', 'state', 'merchants'], {
        state: { enum: ['active', 'retired'] },
        merchants: { type: 'array', minItems: 1, items: object(['authClientId'], { referenceMerchantId: text }) },
      }),
    },
    bluepay: {
      type: 'array',
      items: object(['account', 'pathId', 'path', 'style', 'privateKey', 'channelCode'], {
        style: { enum: ['param', 'flat'] },
        countryCode: text,
      }),
    },
  },
})

/** Reads `simulator.json`. Throws one sentence with every mistake in it. */
export function loadSenders(file: string): Senders {
  let senders: unknown
  try {
    senders = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${(error as NodeJS.ErrnoException).code})`
    throw new Error(`${file} ${why}. Make it with: npm run operator -- keys make --development --out <folder>`)
  }
  if (validate(senders)) return senders
  const mistakes = validate.errors?.map((error) => `${error.instancePath || '/'} ${error.message}`).join('; ')
  throw new Error(`${file}: ${mistakes}`)
}

/** Keys as the providers' consoles hand them out: base64 without PEM lines. */
export const privateKeyOf = (base64: string): KeyObject =>
  createPrivateKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'pkcs8' })
export const publicKeyOf = (base64: string): KeyObject =>
  createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' })
