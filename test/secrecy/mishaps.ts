/** Processes that go wrong with a secret in their hands: what they print is scanned with everything else. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '../support/wait-for.ts'
import type { Canaries } from './canaries.ts'
import type { OwnPipeline } from './own-pipeline.ts'

type Env = Record<string, string>

/**
 * An exception that nobody catches, and whose message quotes a secret: V8's JSON.parse quotes what it could not read. It is thrown inside
 * the real process, from a signal handler that NODE_OPTIONS brings along.
 */
export function crashesOnSignal(canaries: Canaries): Env {
  const code = "process.on('SIGUSR2', () => JSON.parse(process.env.UNREADABLE))"
  return {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
    UNREADABLE: `{"accessToken":${canaries.makePlain('crash')}}`,
  }
}

/** Starts each service with something broken that holds a secret. All end with exit code 1, or wait until they are stopped. */
export async function runMishaps(pipeline: OwnPipeline, folder: string, env: Env, canaries: Canaries): Promise<void> {
  const secret = (name: string) => canaries.makePlain(`crash: ${name}`)
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const cutKeySet = file(
    'cut.json',
    `{"keys":[{"kty":"oct","kid":"a","activeFrom":"2020-01-01T00:00:00Z","k":"${secret('cut key')}`,
  )
  const shortKey = { kty: 'oct', kid: 'a', activeFrom: '2020-01-01T00:00:00Z', k: secret('short key') }
  const shortKeySet = file('short.json', JSON.stringify({ keys: [shortKey] }))
  const misplacedKeySet = file('misplaced.json', JSON.stringify({ keys: [{ ...shortKey, kid: 7, d: secret('misplaced key') }] }))
  const cutAccounts = file('cut.yaml', `bluepay:\n  path: /x\n  accounts: [{ account: a, pathId: "${secret('pathId')}\n`)
  const signing = { keyVersion: '1', privateKey: secret('private key') }
  const accounts = { alipayplus: { path: '/a', signing, clients: [{ clientId: 'c', [secret('field name')]: 1 }] } }
  const misshapenAccounts = file('misshapen.json', JSON.stringify(accounts))
  const password = encodeURIComponent(canaries.make('crash: password'))
  const redis = new URL(pipeline.redis.redisUrl)

  const ending: [string, Env][] = [
    ['normalizer', { ...env, RAW_PRIVATE_KEYS_FILE: cutKeySet }],
    ['normalizer', { ...env, CREDENTIAL_KEYS_FILE: shortKeySet, IDENTITY_KEY_FILE: cutKeySet }],
    ['normalizer', { ...env, IDENTITY_KEY_FILE: misplacedKeySet, LOG_LEVEL: secret('level') }],
    ['gateway', { ...env, IDENTITY_KEY_FILE: misplacedKeySet }],
    ['gateway', { ...env, ACCOUNTS_FILE: cutAccounts }],
    ['gateway', { ...env, ACCOUNTS_FILE: misshapenAccounts }],
    ['deduplicator', { ...env, REDIS_URL: `http://user:${password}@127.0.0.1` }],
    ['deduplicator', { ...env, WINDOW_HOURS: secret('hours') }],
  ]
  const waiting: [string, Env][] = [
    ['deduplicator', { ...env, REDIS_URL: `redis://user:${password}@${redis.host}` }],
    ['merchant-sync', { ...env, KAFKA_USERNAME: 'user', KAFKA_PASSWORD: canaries.make('crash: password') }],
  ]
  const endings = ending.map(async ([name, broken]) => {
    const { code } = await (await pipeline.service(name, broken)).exited
    if (code !== 1) throw new Error(`A broken ${name} ended with ${code}`)
  })
  const complaints = waiting.map(async ([name, broken]) => {
    const service = await pipeline.service(name, broken)
    await waitFor(`${name} to complain`, () => service.exit() || /"level":"(warn|error)"/.test(service.output()))
    await service.stop(1_000)
  })
  await Promise.all([...endings, ...complaints])
  await pipeline.operator(['merchants', 'put', file('merchants.json', `[{"merchantId":"${secret('cut entry')}`)])
  await pipeline.operator(['keys', 'list', folder])
}
