import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadAccounts } from '../../services/gateway/accounts.ts'
import { replaceFile, writeNewFiles } from '../../services/operator/keys/key-folder.ts'
import { keyStates } from '../../services/operator/keys/key-sets.ts'
import { castOf } from '../../services/operator/simulator/notification.ts'
import { loadSenders } from '../../services/operator/simulator/senders.ts'
import { checkMerchant } from '../../shared/contracts/validate.ts'
import { type JwkSet, loadKeyRing } from '../../shared/security/keys.ts'
import { createRawOpener, createRawSealer } from '../../shared/security/seal-raw.ts'
import { operator, temporaryFolder } from './operator-under-test.ts'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
const readSet = (folder: string, file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as JwkSet
const keySetFiles = ['credentials.json', 'identity.json', 'raw.private.json', 'raw.public.json']

t.test('keys make: a private folder of keys that the services load, none marked as development keys', async (t) => {
  const folder = join(temporaryFolder(t), 'new', 'keys')
  const { code, out } = await operator(['keys', 'make', '--out', folder])
  t.equal(code, 0)
  t.same(readdirSync(folder).sort(), keySetFiles)
  t.equal(modeOf(folder), '700')
  const modes = Object.fromEntries(keySetFiles.map((file) => [file, modeOf(join(folder, file))]))
  t.same(modes, { 'credentials.json': '400', 'identity.json': '400', 'raw.private.json': '400', 'raw.public.json': '600' })
  const rings = {
    public: loadKeyRing(join(folder, 'raw.public.json'), 'public'),
    private: loadKeyRing(join(folder, 'raw.private.json'), 'private'),
    credentials: loadKeyRing(join(folder, 'credentials.json'), 'secret'),
    identity: loadKeyRing(join(folder, 'identity.json'), 'secret'),
  }
  for (const ring of Object.values(rings)) t.match(ring, { development: false, keys: { length: 1 } })
  const sealed = createRawSealer(rings.public).seal('bluepay', 'a', Buffer.from('text'))
  t.equal(createRawOpener(rings.private).open('bluepay', 'a', sealed)?.toString(), 'text', 'the two halves belong together')
  for (const file of keySetFiles) t.match(out, new RegExp(`${file}.*(gateway|normalizer)`), `says who reads ${file}`)
  t.match(out, /Identity keys do not rotate/)
})

t.test('keys make never overwrites: one file that is there, and nothing is written', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'identity.json'), 'precious')
  for (const more of [[], ['--dry-run'], ['--development']]) {
    const { code, err } = await operator(['keys', 'make', '--out', folder, ...more])
    t.equal(code, 1)
    t.match(err, /identity\.json already; keys are never overwritten/)
    t.same(readdirSync(folder), ['identity.json'])
  }
  t.equal(readFileSync(join(folder, 'identity.json'), 'utf8'), 'precious')
})

t.test('keys make refuses a folder that others can look into, and makes an empty one private', async (t) => {
  const folder = temporaryFolder(t)
  chmodSync(folder, 0o755)
  t.equal((await operator(['keys', 'make', '--out', folder])).code, 0)
  t.equal(modeOf(folder), '700')
  const shared = join(folder, 'shared')
  mkdirSync(join(shared, 'something'), { recursive: true })
  chmodSync(shared, 0o755)
  t.match(await operator(['keys', 'make', '--out', shared]), { code: 1, err: /open to other users. Run: chmod 700/ })
  t.same(readdirSync(shared), ['something'])
})

t.test('what fails half-way leaves nothing behind', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  const file = (name: string) => ({ name, text: 'x', secret: true })
  await t.rejects(writeNewFiles(folder, [file('a'), file('b'), file('no/such/place')]))
  t.same(readdirSync(folder), [])
})

t.test('keys make --dry-run writes nothing', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  const { code, out } = await operator(['keys', 'make', '--out', folder, '--dry-run'])
  t.equal(code, 0)
  t.match(out, /Would make/)
  t.notOk(existsSync(folder))
})

t.test('keys make --development: both sides of a demonstration, all of it marked', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  const { code, json } = await operator(['keys', 'make', '--out', folder, '--development', '--json'])
  t.equal(code, 0)
  t.match(json(), { development: true, audited: false })
  for (const file of keySetFiles) t.equal(readSet(folder, file).development, true, file)
  const accounts = loadAccounts(join(folder, 'accounts.yaml'))
  t.same({ development: accounts.development, warnings: accounts.warnings }, { development: true, warnings: [] })
  const styles = [...(accounts.bluepay?.byPathId.values() ?? [])].map(({ account, style, zone }) => ({ account, style, zone }))
  t.same(styles, [
    { account: 'demo-ph', style: 'param', zone: undefined },
    { account: 'demo-th', style: 'param', zone: '+07:00' },
    { account: 'demo-jt', style: 'flat', zone: undefined },
  ])
  const senders = loadSenders(join(folder, 'simulator.json'))
  const cast = castOf(senders)
  t.same(
    [...(accounts.alipayplus?.clients.keys() ?? [])],
    cast.alipayplus.map(({ clientId }) => clientId),
  )
  t.same(
    [...(accounts.bluepay?.byPathId.keys() ?? [])],
    cast.bluepay.map(({ pathId }) => pathId),
  )
  t.ok(
    senders.alipayplus.some(({ state }) => state === 'retired'),
    'a retired key, to be refused',
  )
  t.equal(senders.alipayplus[0]?.state, 'active', 'the first one can send')
  const merchants = JSON.parse(readFileSync(join(folder, 'merchants.json'), 'utf8')) as unknown[]
  t.ok(merchants.length > 3)
  for (const merchant of merchants) t.ok('value' in checkMerchant(merchant))
})

t.test('keys list shows ids, times and states, and never material', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  await operator(['keys', 'make', '--out', folder])
  await operator(['keys', 'rotate', '--dir', folder, '--set', 'credentials'])
  chmodSync(join(folder, 'raw.private.json'), 0o644)
  const [text, json] = [await operator(['keys', 'list', folder]), await operator(['keys', 'list', folder, '--json'])]
  t.match(json.json(), {
    files: [
      { file: 'raw.private.json', openToOthers: true, mode: '0644', keys: [{ state: 'current' }] },
      { file: 'raw.public.json', openToOthers: false, keys: [{ state: 'current' }] },
      { file: 'credentials.json', keys: [{ state: 'current' }, { state: 'next' }] },
      { file: 'identity.json', keys: [{ state: 'current' }] },
    ],
  })
  t.match(text.out, /raw\.private\.json .* open to other users/)
  const material = keySetFiles
    .flatMap((file) => readSet(folder, file).keys.flatMap(({ k, d, x, y }) => [k, d, x, y]))
    .filter(Boolean)
  t.ok(material.length >= 5)
  for (const secret of material) for (const { out } of [text, json]) t.notOk(out.includes(secret as string))
})

t.test('keys rotate adds a key to every file of the set and keeps the old ones, in their modes', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  await operator(['keys', 'make', '--out', folder, '--development'])
  const before = Object.fromEntries(keySetFiles.map((file) => [file, readSet(folder, file)]))
  const now = Date.now()
  const { code, json } = await operator(['keys', 'rotate', '--dir', folder, '--set', 'raw', '--json'], { now: () => now })
  t.equal(code, 0)
  const { kid } = json() as { kid: string }
  for (const file of ['raw.private.json', 'raw.public.json']) {
    const { keys, development } = readSet(folder, file)
    t.same(keys.slice(0, 1), before[file]?.keys, `${file} keeps its key`)
    t.match(keys[1], { kid, activeFrom: new Date(now + 60 * 60 * 1000).toISOString() }, 'in force in one hour')
    t.equal(development, true, 'the mark stays')
  }
  t.notMatch(readSet(folder, 'raw.public.json').keys[1], { d: String }, 'no private half in the public file')
  t.same(
    { private: modeOf(join(folder, 'raw.private.json')), public: modeOf(join(folder, 'raw.public.json')) },
    { private: '400', public: '600' },
  )
  t.same(readSet(folder, 'credentials.json'), before['credentials.json'], 'the other sets are as they were')
  const opener = createRawOpener(loadKeyRing(join(folder, 'raw.private.json'), 'private'))
  for (const at of [now, now + 2 * 60 * 60 * 1000]) {
    const sealer = createRawSealer(loadKeyRing(join(folder, 'raw.public.json'), 'public'), () => at)
    t.equal(opener.open('bluepay', 'a', sealer.seal('bluepay', 'a', Buffer.from('x')))?.toString(), 'x')
  }
})

t.test('keys rotate refuses what would break a replay or an identity', async (t) => {
  const folder = join(temporaryFolder(t), 'keys')
  await operator(['keys', 'make', '--out', folder])
  const rotate = (...args: string[]) => operator(['keys', 'rotate', '--dir', folder, ...args])
  t.match(await rotate('--set', 'identity'), { code: 2, err: /do not rotate.*migration/s })
  t.match(await rotate('--set', 'raw', '--active-from', '2020-01-01T00:00:00Z'), { code: 2, err: /must be in the future/ })
  t.match(await rotate('--set', 'raw', '--active-from', 'tomorrow'), { code: 2, err: /needs a time like/ })
  t.match(await rotate('--set', 'raw', '--dry-run'), { code: 0, out: /Would add/ })
  for (const file of keySetFiles) t.equal(readSet(folder, file).keys.length, 1, file)
})

t.test('a key file is replaced whole or not at all, and by one writer at a time', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'credentials.json')
  writeFileSync(path, '1', { mode: 0o400 })
  await t.rejects(
    replaceFile(path, () => {
      throw new Error('cut off')
    }),
    /cut off/,
  )
  t.same({ text: readFileSync(path, 'utf8'), files: readdirSync(folder) }, { text: '1', files: ['credentials.json'] })
  let meanwhile: Promise<unknown> | undefined
  await replaceFile(path, (text) => {
    t.equal(readFileSync(path, 'utf8'), '1', 'readers have the old text until the new one is whole')
    meanwhile = t.rejects(
      replaceFile(path, () => 'other'),
      /another change is under way/,
    )
    return `${text}2`
  })
  await meanwhile
  t.same(
    { text: readFileSync(path, 'utf8'), mode: modeOf(path), files: readdirSync(folder) },
    { text: '12', mode: '400', files: ['credentials.json'] },
  )
})

t.test('the key in force is the latest one active by now, or the first', async (t) => {
  const at = (...times: number[]) => times.map((activeFrom) => ({ activeFrom }))
  t.same(keyStates(at(1, 5, 9), 6), ['past', 'current', 'next'])
  t.same(keyStates(at(1, 5, 9), 5), ['past', 'current', 'next'])
  t.same(keyStates(at(5), 1), ['current'])
})
