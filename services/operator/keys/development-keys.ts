import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import type { Senders } from '../simulator/senders.ts'
import { alipayplusClients, alipayplusPath, bluepayAccounts, bluepayPath, demonstrationMerchants } from './demonstration.ts'
import type { NewFile } from './key-folder.ts'

type RsaPair = { publicKey: string; privateKey: string }

/** A pair as the providers hand keys out: base64 of SPKI and PKCS#8. */
async function makeRsaPair(bits: number): Promise<RsaPair> {
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return { publicKey: pair.publicKey.toString('base64'), privateKey: pair.privateKey.toString('base64') }
}

const heading =
  '# Made by: operator keys make --development. Development keys: services refuse them with brokers that are not on loopback.\n'

/**
 * Both sides of a demonstration: the gateway's accounts file, and the keys that stand for the providers. Everything is made on the
 * spot; nothing here was ever published.
 */
export async function makeDevelopmentFiles(): Promise<NewFile[]> {
  const answers = await makeRsaPair(2048)
  const clients = await Promise.all(
    alipayplusClients.map(async (client) => ({
      ...client,
      keys: await Promise.all(client.keys.map(async (key) => ({ ...key, ...(await makeRsaPair(2048)) }))),
    })),
  )
  const accounts = await Promise.all(
    bluepayAccounts.map(async (account) => ({
      ...account,
      // 128 random bits: where a platform signs for several accounts with one key, this is what tells them apart.
      pathId: randomBytes(16).toString('base64url'),
      ...(await makeRsaPair(account.bits)),
    })),
  )

  const accountsFile = {
    development: true,
    alipayplus: {
      path: alipayplusPath,
      signing: { keyVersion: '1', privateKeyFile: 'alipayplus-answers.private.pem' },
      clients: clients.map(({ clientId, keys }) => ({
        clientId,
        keys: keys.map(({ version, state, publicKey }) => ({ version, state, publicKey })),
      })),
    },
    bluepay: {
      path: bluepayPath,
      accounts: accounts.map(({ account, pathId, merchantId, style, zone, publicKey }) => ({
        ...{ account, pathId, merchantId, style },
        ...(zone ? { zone } : {}),
        keys: [{ state: 'active', publicKey }],
      })),
    },
  }
  const senders: Senders = {
    development: true,
    alipayplus: clients.flatMap(({ clientId, keys, merchants }) =>
      keys.map(({ version, state, privateKey }) => ({
        ...{ clientId, keyVersion: version, state, privateKey, answerPublicKey: answers.publicKey },
        path: alipayplusPath,
        merchants: [...merchants],
      })),
    ),
    bluepay: accounts.map(({ account, pathId, style, privateKey, channelCode, countryCode }) => ({
      ...{ account, pathId, path: `${bluepayPath}/${pathId}`, style, privateKey, channelCode },
      ...(countryCode ? { countryCode } : {}),
    })),
  }
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  return [
    { name: 'accounts.yaml', text: heading + stringify(accountsFile, { lineWidth: 0 }), secret: false },
    { name: 'alipayplus-answers.private.pem', text: pem(answers.privateKey), secret: true },
    { name: 'simulator.json', text: json(senders), secret: true },
    { name: 'merchants.json', text: json(demonstrationMerchants), secret: false },
  ]
}

const pem = (base64: string) =>
  `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
