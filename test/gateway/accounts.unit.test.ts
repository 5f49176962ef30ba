import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { AccountsError, loadAccounts } from '../../services/gateway/accounts.ts'
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import { refuseDevelopmentKeys } from '../../shared/security/keys.ts'
import { accountsFile, alipayPlusPath, clientId, flatPathId, pathId } from './gateway-under-test.ts'
import { keyPair, pkcs8, spki } from './signing.ts'

const vectors = JSON.parse(readFileSync(new URL('../fixtures/provider-vectors.json', import.meta.url), 'utf8')) as {
  vectors: { publicKeySpkiBase64: string }[]
}
const [aplusSample, paycoolsSample] = vectors.vectors.map(({ publicKeySpkiBase64 }) => publicKeySpkiBase64) as [string, string]

function write(
  t: { testdir: (content?: Record<string, string>) => string },
  content: string | object,
  more: Record<string, string> = {},
): string {
  const folder = t.testdir(more)
  const file = join(folder, 'accounts.yaml')
  writeFileSync(file, typeof content === 'string' ? content : stringify(content))
  return file
}

function mistakesOf(file: string): string {
  try {
    loadAccounts(file)
  } catch (error) {
    if (error instanceof AccountsError) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

/** The file with one thing changed. */
function changed(change: (file: Required<AccountsFile>) => void): AccountsFile {
  const file = structuredClone(accountsFile()) as Required<AccountsFile>
  change(file)
  return file
}

t.test('reads YAML and JSON, keys as PEM or base64, here or in files beside it', async (t) => {
  const pem = keyPair('alipayplus').publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const signing = keyPair('answers').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const files = changed((file) => {
    file.alipayplus.signing = { keyVersion: '7', privateKeyFile: 'own.pem' }
    file.alipayplus.clients[0]!.keys = [
      { version: '1', state: 'active', publicKeyFile: 'alipayplus.pem' },
      { version: '2', state: 'active', publicKey: spki(keyPair('alipayplus-2')).replace(/(.{64})/g, '$1\n') },
      { version: '0', state: 'retired', publicKey: spki(keyPair('old')) },
    ]
  })
  for (const content of [stringify(files), JSON.stringify(files)]) {
    const file = write(t, content, { 'own.pem': signing, 'alipayplus.pem': pem })
    const accounts = loadAccounts(file)
    t.same([...(accounts.alipayplus?.clients.get(clientId)?.keys.keys() ?? [])], ['1', '2'], 'active keys only')
    t.equal(accounts.alipayplus?.path, alipayPlusPath)
    t.match(accounts.bluepay?.byPathId.get(pathId), { account: 'demo-ph', merchantId: 'M-1', style: 'param' })
    t.match(accounts.bluepay?.byPathId.get(flatPathId), { account: 'demo-flat', zone: '+07:00', style: 'flat' })
    t.equal(accounts.reads.length, 3)
    t.equal(accounts.development, false)
    t.match(accounts.warnings.join(), /own\.pem is open to every user/)
  }
})

t.test('names all mistakes of shape in one message', async (t) => {
  const message = mistakesOf(
    write(t, {
      developement: true,
      alipayplus: {
        path: 'no/slash',
        signing: { keyVersion: 1, privateKey: 'k' },
        clients: [{ clientId: 'has blank', keys: [{ version: '1', state: 'on', publicKey: 'k' }] }],
      },
      bluepay: { path: '/b', accounts: [{ account: 'a', pathId: 'short', style: 'param', zone: '8', keys: [] }] },
    }),
  )
  const mistakes = [
    '/ has a member that is not known here: developement',
    '/alipayplus/path must match',
    '/alipayplus/signing/keyVersion must be string (write it in quotes)',
    '/alipayplus/clients/0/clientId must match',
    '/alipayplus/clients/0/keys/0/state must be one of active, retired',
    "/bluepay/accounts/0 must have required property 'merchantId'",
    '/bluepay/accounts/0/pathId must match',
    '/bluepay/accounts/0/zone must match',
    '/bluepay/accounts/0/keys must NOT have fewer than 1 items',
  ]
  for (const mistake of mistakes) t.ok(message.includes(mistake), mistake)
})

t.test('names all mistakes in keys and ids in one message', async (t) => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'der' })
    .toString('base64')
  const file = changed(({ alipayplus, bluepay }) => {
    alipayplus.clients.push({ clientId, keys: [] as never })
    alipayplus.clients[1]!.keys = [
      { version: '1', state: 'active', publicKey: 'AAAA' },
      { version: '1', state: 'active', publicKey: spki(keyPair('weak', 1024)) },
      { version: '2', state: 'active', publicKey: keyPair('a').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
      { version: '3', state: 'active', publicKey: ec },
      { version: '4', state: 'active' },
      { version: '5', state: 'active', publicKeyFile: 'nowhere.pem' },
      { version: '6', state: 'retired', publicKey: pkcs8(keyPair('a')) },
    ]
    alipayplus.path = `${bluepay.path}/x`
    alipayplus.signing = { keyVersion: '1', privateKey: spki(keyPair('a')) }
    bluepay.accounts[1] = { ...bluepay.accounts[0]!, pathId: 'a'.repeat(22) }
    bluepay.accounts[2] = { ...bluepay.accounts[0]!, account: 'c' }
  })
  const message = mistakesOf(write(t, file))
  const mistakes = [
    '/alipayplus/clients/1 has the clientId of an earlier one',
    '/alipayplus/clients/1 has a key version twice',
    '/alipayplus/clients/1/keys/0 is not a public key',
    '/alipayplus/clients/1/keys/1 is an RSA key of 1024 bits; 2048 to 4096',
    '/alipayplus/clients/1/keys/2 is a private key',
    '/alipayplus/clients/1/keys/3 is a key for ec',
    '/alipayplus/clients/1/keys/4 needs its key',
    '/alipayplus/clients/1/keys/5 names a file that cannot be read (ENOENT)',
    '/alipayplus/clients/1/keys/6 is not a public key',
    '/alipayplus/signing is not a private key',
    '/alipayplus/path lies under /bluepay/path',
    '/bluepay/accounts/1 has the account name of an earlier one',
    '/bluepay/accounts/1/pathId is no random id',
    '/bluepay/accounts/2 has the pathId of an earlier one',
  ]
  for (const mistake of mistakes) t.ok(message.includes(mistake), mistake)
})

t.test('no message quotes what might be a key', async (t) => {
  const secret = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'
  const contents = [
    `alipayplus:\n  ${secret}\n  : [`,
    `alipayplus: { ${secret}: x }`,
    `alipayplus: *${secret}`,
    `alipayplus: !${secret} x`,
    `{ "alipayplus": { "path": "/a", "signing": { "keyVersion": "1", "privateKey": "${secret}" }, "clients": "${secret}" } }`,
    `"${secret}`,
    `a: ${secret}\na: ${secret}`,
    secret,
    '',
  ]
  for (const content of contents) {
    const message = mistakesOf(write(t, content))
    t.notOk(message.includes(secret.slice(0, 12)), JSON.stringify(content.slice(0, 30)))
    t.match(message, /\n {2}\S/, 'and it says something')
  }
  t.match(mistakesOf(join(t.testdir(), 'absent.yaml')), /cannot be read \(ENOENT\)/)
})

t.test('refuses keys that anybody can look up, but in a file marked as development', async (t) => {
  for (const sample of [aplusSample, paycoolsSample]) {
    const file = changed(({ bluepay }) => {
      bluepay.accounts[0]!.keys = [{ state: 'active', publicKey: sample }]
    })
    t.match(mistakesOf(write(t, file)), /\/bluepay\/accounts\/0\/keys\/0 is a published sample key/)
    const marked = loadAccounts(write(t, { ...file, development: true }))
    t.equal(marked.development, true)
    const files = [{ name: 'accounts.yaml', development: marked.development }]
    t.throws(() => refuseDevelopmentKeys(['kafka.example:9092'], files), /development keys/)
    t.doesNotThrow(() => refuseDevelopmentKeys(['127.0.0.1:9092'], files))
  }
})
