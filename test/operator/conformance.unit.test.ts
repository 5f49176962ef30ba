import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import type { AccountsFile } from '../../services/gateway/accounts-schema.ts'
import type { CaseResult } from '../../services/operator/conformance/run-cases.ts'
import { makeKeys } from '../../services/operator/keys/keys.ts'
import { alipayplusAcknowledgement } from '../../services/operator/simulator/alipayplus-wire.ts'
import { bluepayAcknowledgement } from '../../services/operator/simulator/bluepay-wire.ts'
import { startGateway } from '../gateway/gateway-under-test.ts'
import { operator, temporaryFolder } from './operator-under-test.ts'

const keys = join(temporaryFolder(t), 'keys')
t.before(() => makeKeys(keys, true, Date.now()))

const check = (url: string, ...args: string[]) =>
  operator(['simulate', '--target', url, '--keys', keys, '--conformance', '--json', ...args])
type Report = { passed: number; failed: number; skipped: number; results: CaseResult[] }
const failuresOf = ({ results }: Report) =>
  results.filter(({ outcome }) => outcome !== 'passed').map(({ name, expected, got }) => ({ name, expected, got }))

/** The demonstration's accounts with the answering key inline, since the gateway under test has its own folder. */
function demonstrationAccounts(): AccountsFile {
  const accounts = parse(readFileSync(join(keys, 'accounts.yaml'), 'utf8')) as Required<AccountsFile>
  const privateKey = readFileSync(join(keys, 'alipayplus-answers.private.pem'), 'utf8')
  return { ...accounts, alipayplus: { ...accounts.alipayplus, signing: { keyVersion: '1', privateKey } } }
}

/** Any endpoint at all: it says one thing to everybody. */
async function startParrot(t: { teardown: (handler: () => void) => void }, say: (path: string) => string): Promise<string> {
  const server = createServer(async (request, response) => {
    await request.toArray()
    response.end(say(request.url ?? ''))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('the gateway passes every case', async (t) => {
  const gateway = await startGateway({
    accounts: demonstrationAccounts(),
    limits: { headersTimeoutMs: 1_000, requestTimeoutMs: 2_000 },
  })
  t.teardown(gateway.close)
  const { code, json } = await check(gateway.url)
  const report = json() as Report
  t.same(failuresOf(report), [])
  t.equal(code, 0)
  t.ok(report.passed > 200, `${report.passed} cases`)
  const kept = report.results.filter(({ expected }) => /SUCCESS|10000,"message"/.test(expected))
  t.ok(gateway.published.length >= kept.length, 'what was acknowledged was kept')
})

t.test('nothing that is refused was kept', async (t) => {
  const gateway = await startGateway({
    accounts: demonstrationAccounts(),
    limits: { headersTimeoutMs: 1_000, requestTimeoutMs: 2_000 },
  })
  t.teardown(gateway.close)
  const only =
    'alipayplus/forged,alipayplus/stale,alipayplus/http,bluepay/forged,bluepay/malformed,bluepay/http,http/slow,http/two'
  const { code, json } = await check(gateway.url, '--only', only)
  t.equal(code, 0)
  t.ok((json() as Report).passed > 90)
  t.same(gateway.published, [])
})

t.test('an endpoint that acknowledges everything fails every hostile case that it answers', async (t) => {
  const url = await startParrot(t, (path) => (path.startsWith('/bluepay') ? bluepayAcknowledgement : alipayplusAcknowledgement))
  const { code, json } = await check(url, '--only', 'alipayplus,bluepay')
  t.equal(code, 1)
  const passed = (json() as Report).results.filter(({ outcome }) => outcome === 'passed').map(({ name }) => name)
  t.same(
    passed.filter((name) => !/^bluepay\/(param|4096-bit|flat)\//.test(name) && name !== 'alipayplus/forged/reasons-alike'),
    [],
  )
  t.ok(passed.length > 40, "BluePay's answers are not signed, so there it looks right")
})

t.test('an endpoint that refuses everything fails every case that is to be accepted', async (t) => {
  const url = await startParrot(t, () => '{"code":400,"message":"no"}')
  const { code, json } = await check(
    url,
    '--only',
    'alipayplus/documented,alipayplus/verified,bluepay/param,bluepay/4096-bit,bluepay/flat',
  )
  t.equal(code, 1)
  t.match(json(), { passed: 0 })
})

t.test('cases are listed with what they expect, and chosen by the beginning of their names', async (t) => {
  const { code, json } = await operator(['simulate', '--list', '--json'])
  t.equal(code, 0)
  const { cases } = json() as { cases: { name: string; title: string; expected: string; hostile: boolean }[] }
  t.equal(new Set(cases.map(({ name }) => name)).size, cases.length, 'names are unique')
  t.ok(cases.every(({ title, expected }) => title && expected))
  t.match(await operator(['simulate', '--list', '--only', 'http/slow-body']), { code: 0, out: /http\/slow-body +hostile/ })
  t.match(await operator(['simulate', '--list', '--only', 'nonsense']), { code: 2, err: /No case begins with nonsense/ })
})

t.test('hostile cases stay on loopback unless told otherwise', async (t) => {
  t.match(await check('http://gateway.example:80'), { code: 2, out: /not on loopback.*--allow-remote/ })
})

t.test('an unreachable target fails, with the reason', async (t) => {
  const { code, json } = await check('http://127.0.0.1:1', '--only', 'bluepay/param/create')
  t.equal(code, 1)
  t.match(json(), { failed: 2, results: [{ got: /ECONNREFUSED/ }, {}] })
})

t.test('a case whose sender is missing is skipped, and nothing passed is no success', async (t) => {
  const senders = JSON.parse(readFileSync(join(keys, 'simulator.json'), 'utf8')) as object
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'simulator.json'), JSON.stringify({ ...senders, bluepay: [] }))
  const { code, json } = await operator([
    'simulate',
    '--target',
    'http://127.0.0.1:1',
    '--keys',
    folder,
    '--conformance',
    '--json',
    '--only',
    'bluepay/flat',
  ])
  t.equal(code, 1)
  t.match(json(), { passed: 0, failed: 0, results: [{ outcome: 'skipped', got: /no BluePay account of style flat/ }] })
})
