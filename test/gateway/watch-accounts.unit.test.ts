import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { loadAccounts } from '../../services/gateway/accounts.ts'
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import { watchAccounts } from '../../services/gateway/watch-accounts.ts'
import {
  accountsFile,
  alipayPlusPath,
  alipayPlusRequest,
  bluePayParam,
  bluePayRequest,
  clientId,
  type GatewayUnderTest,
  type Reply,
  send,
  startGateway,
  verdictOf,
} from './gateway-under-test.ts'
import { answerVerifies, keyPair, pkcs8, signParam, spki } from './signing.ts'

const key = (name: string, state: 'active' | 'retired' = 'active') => ({ state, publicKey: spki(keyPair(name)) })

/** An accounts file with these keys, everything else as usual. */
function withKeys(alipayplus: string[], bluepay: string[], retired: string[] = [], answers = 'answers'): AccountsFile {
  const accounts = accountsFile()
  const state = (name: string) => (retired.includes(name) ? 'retired' : 'active')
  accounts.alipayplus!.signing = { keyVersion: answers, privateKey: pkcs8(keyPair(answers)) }
  accounts.alipayplus!.clients = [{ clientId, keys: alipayplus.map((name) => ({ version: name, ...key(name, state(name)) })) }]
  accounts.bluepay!.accounts[0]!.keys = bluepay.map((name) => key(name, state(name)))
  return accounts
}

/** As an operator should: write beside it, then rename. */
function replace(gateway: GatewayUnderTest, content: AccountsFile | string): void {
  const beside = join(dirname(gateway.file), 'accounts.new')
  writeFileSync(beside, typeof content === 'string' ? content : JSON.stringify(content))
  renameSync(beside, gateway.file)
}

async function logged(gateway: GatewayUnderTest, event: string, count: number): Promise<void> {
  while (gateway.logged.filter((line) => line.event === event).length < count)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

async function startWatched(accounts: AccountsFile) {
  const gateway = await startGateway({ accounts })
  const watching = watchAccounts({
    current: loadAccounts(gateway.file),
    load: () => loadAccounts(gateway.file),
    onAccounts: gateway.replaceAccounts,
    onRefused: () => {},
    log: gateway.log,
  })
  t.teardown(async () => {
    watching.stop()
    await gateway.close()
  })
  return gateway
}

t.test('keys rotate under traffic without one refused request', async (t) => {
  const gateway = await startWatched(withKeys(['a1'], ['b1']))
  let [alipayPlusKey, bluePayKey] = ['a1', 'b1']
  let sending = true
  const replies: { reply: Reply; wanted: string }[] = []
  const usedKeys = new Set<string>()
  const alipayPlus = async () => {
    while (sending) {
      const name = alipayPlusKey
      usedKeys.add(name)
      replies.push({
        reply: await send(gateway, alipayPlusRequest({ keyVersion: name, pair: keyPair(name) })),
        wanted: 'S SUCCESS',
      })
    }
  }
  const bluePay = async () => {
    while (sending) {
      const name = bluePayKey
      usedKeys.add(name)
      replies.push({ reply: await send(gateway, bluePayRequest(signParam(bluePayParam, keyPair(name)))), wanted: '10000' })
    }
  }
  const more = async (count: number) => {
    const from = replies.length
    while (replies.length < from + count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const senders = [alipayPlus(), alipayPlus(), bluePay(), bluePay()]
  await more(40)

  // The recipe: 1. add the new keys beside the old ones; 2. have the provider switch; 3. retire the old ones when nobody uses them.
  replace(gateway, withKeys(['a1', 'a2'], ['b1', 'b2']))
  await logged(gateway, 'accounts-reloaded', 1)
  await more(40)
  alipayPlusKey = 'a2'
  bluePayKey = 'b2'
  await more(40)
  replace(gateway, withKeys(['a1', 'a2'], ['b1', 'b2'], ['a1', 'b1'], 'answers2'))
  await logged(gateway, 'accounts-reloaded', 2)
  await more(40)
  sending = false
  await Promise.all(senders)

  t.same([...usedKeys].sort(), ['a1', 'a2', 'b1', 'b2'])
  t.same(
    replies.filter(({ reply, wanted }) => reply.status !== 200 || verdictOf(reply) !== wanted),
    [],
    'not one was refused',
  )
  t.equal(gateway.published.length, replies.length)
  const signedBy = (name: string) =>
    replies.filter(({ reply }) => answerVerifies(alipayPlusPath, reply.headers, reply.body, keyPair(name))).length
  t.ok(signedBy('answers') > 0 && signedBy('answers2') > 0, 'our own signing key was rotated, too')
  t.equal(verdictOf(await send(gateway, alipayPlusRequest({ keyVersion: 'a1', pair: keyPair('a1') }))), 'F INVALID_SIGNATURE')
  t.equal((await send(gateway, bluePayRequest(signParam(bluePayParam, keyPair('b1'))))).status, 401)
})

t.test('a broken file leaves the old one in force, loudly; the mended one is taken', async (t) => {
  const gateway = await startWatched(withKeys(['a1'], ['b1']))
  const broken = ['{', '', 'alipayplus: {}', withKeys(['a1'], ['b1'])]
  ;(broken[3] as AccountsFile).bluepay!.accounts[0]!.keys = [{ state: 'active', publicKey: 'AAAA' }]
  for (const [at, content] of broken.entries()) {
    replace(gateway, content)
    await logged(gateway, 'accounts-refused', at + 1)
    const request = alipayPlusRequest({ keyVersion: 'a1', pair: keyPair('a1') })
    t.equal(verdictOf(await send(gateway, request)), 'S SUCCESS', `broken ${at}: as before`)
  }
  const lines = gateway.logged.filter(({ event }) => event === 'accounts-refused')
  t.ok(lines.every(({ level }) => level === 'error'))
  t.match(lines.at(-1)?.reason, /before stay in force.*\n.*accounts\/0\/keys\/0 is not a public key/)
  replace(gateway, withKeys(['a2'], ['b1']))
  await logged(gateway, 'accounts-reloaded', 1)
  t.equal(verdictOf(await send(gateway, alipayPlusRequest({ keyVersion: 'a2', pair: keyPair('a2') }))), 'S SUCCESS')
})

t.test('a changed key file is noticed, also one that was missing, and SIGHUP reads again at once', async (t) => {
  const gateway = await startWatched(withKeys(['a1'], ['b1']))
  const accounts = withKeys(['a1'], ['b1'])
  const keyFile = join(gateway.folder, 'alipayplus.pub')
  accounts.alipayplus!.clients[0]!.keys = [{ version: '1', state: 'active', publicKeyFile: '../alipayplus.pub' }]
  replace(gateway, accounts)
  await logged(gateway, 'accounts-refused', 1)
  t.match(gateway.logged.at(-1)?.reason, /ENOENT/)

  for (const [at, name] of ['a1', 'a2'].entries()) {
    writeFileSync(keyFile, spki(keyPair(name)))
    await logged(gateway, 'accounts-reloaded', at + 1)
    t.equal(verdictOf(await send(gateway, alipayPlusRequest({ keyVersion: '1', pair: keyPair(name) }))), 'S SUCCESS', name)
  }
  process.kill(process.pid, 'SIGHUP')
  await logged(gateway, 'accounts-reloaded', 3)
  t.pass('read again without a change')
})
