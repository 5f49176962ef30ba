import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeKeys } from '../../services/operator/keys/keys.ts'
import { castOf } from '../../services/operator/simulator/notification.ts'
import { planDeliveries } from '../../services/operator/simulator/plan.ts'
import type { PlanFile } from '../../services/operator/simulator/plan-file.ts'
import { loadSenders } from '../../services/operator/simulator/senders.ts'
import { waitFor } from '../support/wait-for.ts'
import { type Received, type Reply, startEndpoint } from './endpoint-under-test.ts'
import { type Around, operator, temporaryFolder } from './operator-under-test.ts'

const keys = join(temporaryFolder(t), 'keys')
t.before(() => makeKeys(keys, true, Date.now()))

const simulate = (url: string, args: string[] = [], around: Around = {}) =>
  operator(['simulate', '--target', url, '--keys', keys, '--json', ...args], around)
/** The notification as the provider says it, however it is wrapped. */
const contentOf = ({ body }: Received): string => {
  try {
    const { param, sign: _, ...flat } = JSON.parse(body) as Record<string, string>
    return param ?? JSON.stringify(flat)
  } catch {
    return body
  }
}
const alipayplusOnly = ['--only', 'alipayplus', '--duplicates', '0']

t.test('sends as many as asked for, and says what became of them', async (t) => {
  const endpoint = await startEndpoint(t, keys)
  const { code, json } = await simulate(endpoint.url, ['--count', '300', '--seed', '7'])
  t.equal(code, 0)
  t.equal(endpoint.received.length, 300)
  const summary = json() as Record<string, number>
  t.match(summary, { seed: '7', sent: 300, acknowledged: 300, refused: 0, lost: 0, retries: 0, wrongAnswers: 0 })
  t.equal((summary.distinct ?? 0) + (summary.duplicates ?? 0), 300 - ((summary.deadLetters ?? 0) - oddDistinct(summary)))
  t.ok((summary.duplicates ?? 0) > 30 && (summary.deadLetters ?? 0) > 0)
})
const oddDistinct = (summary: Record<string, unknown>) => {
  const kinds = summary.kinds as Record<string, number>
  return ['unknown-type', 'missing-field', 'unreadable'].reduce((sum, kind) => sum + (kinds[kind] ?? 0), 0)
}

t.test('the same seed sends the same content in two runs; by default it differs', async (t) => {
  const contents = async (...args: string[]) => {
    const endpoint = await startEndpoint(t, keys)
    await simulate(endpoint.url, ['--count', '60', ...args])
    return endpoint.received.map(contentOf).sort()
  }
  const [once, again, other] = [await contents('--seed', '7'), await contents('--seed', '7'), await contents()]
  t.same(once, again)
  t.notSame(once, other)
})

t.test('identical copies are the same signed bytes; copies signed anew are not', async (t) => {
  const endpoint = await startEndpoint(t, keys)
  await simulate(endpoint.url, ['--count', '200', '--only', 'AUTHCODE_CREATED', '--duplicates', '0.5', '--seed', '3'])
  const bySignature = Map.groupBy(endpoint.received, ({ headers }) => headers.signature)
  const byCode = Map.groupBy(endpoint.received, ({ body }) => (JSON.parse(body) as { authCode: string }).authCode)
  const repeated = [...bySignature.values()].filter((copies) => copies.length > 1)
  t.ok(repeated.length > 5, 'some are identical')
  for (const [first, ...copies] of repeated)
    for (const copy of copies) t.same([copy.body, copy.headers['request-time']], [first?.body, first?.headers['request-time']])
  t.ok(
    [...byCode.values()].some((copies) => new Set(copies.map(({ headers }) => headers.signature)).size > 1),
    'some are signed anew',
  )
})

t.test(
  '"call again", refusals and lost answers are retried by the documented schedule, compressed, and signed anew',
  async (t) => {
    const replies: Reply[] = ['U', 'F', 'cut', 'acknowledge']
    const tries = new Map<string, Received[]>()
    const endpoint = await startEndpoint(t, keys, (received) => {
      const list = tries.get(received.body) ?? []
      tries.set(received.body, [...list, received])
      return replies[list.length] ?? 'acknowledge'
    })
    // 2 min, 10 min and 10 min become 12, 60 and 60 ms.
    const { code, json } = await simulate(endpoint.url, [
      ...alipayplusOnly,
      '--count',
      '3',
      '--compress',
      '10000',
      '--late-cancels',
      '0',
    ])
    t.equal(code, 0)
    t.match(json(), {
      sent: 12,
      acknowledged: 3,
      callAgain: 3,
      refused: 3,
      unanswered: 3,
      retries: 9,
      lost: 0,
      distinct: 3,
      duplicates: 0,
    })
    for (const list of tries.values()) {
      const pauses = list.slice(1).map(({ at }, index) => at - (list[index]?.at ?? 0))
      for (const [index, least] of [12, 60, 60].entries())
        t.ok((pauses[index] ?? 0) >= least - 1, `pause ${index + 1}: ${pauses[index]} ms`)
    }
  },
)

t.test('after the seventh retry Alipay+ gives up, and BluePay at once; the command says so and exits 1', async (t) => {
  const endpoint = await startEndpoint(t, keys, () => 'U')
  const given = await simulate(endpoint.url, [...alipayplusOnly, '--count', '2', '--compress', '1000000'])
  t.equal(given.code, 1)
  t.match(given.json(), { sent: 16, lost: 2, acknowledged: 0, trouble: [/UNKNOWN_EXCEPTION/] })
  const bluepay = await simulate(endpoint.url, ['--only', 'bluepay', '--count', '2', '--duplicates', '0'])
  t.match(bluepay, { code: 1 })
  t.match(bluepay.json(), { sent: 2, lost: 2 })
})

t.test('a story is sent in order: a cancellation waits until the creation before it was answered', async (t) => {
  const plan = Iterator.from(
    planDeliveries(castOf(loadSenders(join(keys, 'simulator.json'))), { ...planOptions, seed: '1' }),
  ).take(60)
  const fields = plan.toArray().flatMap(({ content }) => (typeof content === 'string' ? [] : [content]))
  const canceled = fields.filter(({ tokenCancelSource }) => tokenCancelSource).map(({ accessToken }) => accessToken)
  const token = fields.find(({ accessToken, refreshToken }) => refreshToken && canceled.includes(accessToken))
    ?.accessToken as string
  t.ok(token, 'a token that is created and canceled')

  const release = Promise.withResolvers<void>()
  const endpoint = await startEndpoint(t, keys, async ({ body }): Promise<Reply> => {
    if (body.includes(token)) await release.promise
    return 'acknowledge'
  })
  const about = () =>
    endpoint.received.filter(({ body }) => body.includes(token)).map(({ body }) => /TOKEN_[A-Z]+/.exec(body)?.[0])
  const args = [
    '--count',
    '60',
    '--seed',
    '1',
    '--duplicates',
    '0',
    '--late-cancels',
    '0',
    '--only',
    'alipayplus',
    '--concurrency',
    '4',
  ]
  const running = simulate(endpoint.url, args)
  // All that can be sent has been: 60, less the cancellation of the token.
  await waitFor('everything else to have been sent', () => endpoint.received.length === 59)
  t.same(about(), ['TOKEN_CREATED'])
  release.resolve()
  t.equal((await running).code, 0)
  t.same(about(), ['TOKEN_CREATED', 'TOKEN_CANCELED'])
})
const planOptions = { duplicates: 0, lateCancels: 0, only: ['alipayplus'] as const }

t.test('as many requests are in flight at once as allowed, and no more', async (t) => {
  const third = Promise.withResolvers<void>()
  const endpoint = await startEndpoint(t, keys, async ({ number }): Promise<Reply> => {
    if (number === 2) third.resolve()
    await third.promise
    return 'acknowledge'
  })
  t.equal((await simulate(endpoint.url, ['--count', '200', '--concurrency', '3'])).code, 0)
  t.equal(endpoint.most.atOnce, 3)
})

t.test('with a rate it sends at that pace until it is asked to stop, then reports', async (t) => {
  const endpoint = await startEndpoint(t, keys)
  const stop = new AbortController()
  const begun = performance.now()
  const running = simulate(endpoint.url, ['--rate', '200'], { stopSignal: () => stop.signal })
  await waitFor('forty notifications', () => endpoint.received.length >= 40)
  stop.abort()
  const { code, json } = await running
  t.equal(code, 0)
  const seconds = ((endpoint.received.at(-1)?.at ?? 0) - begun) / 1000
  t.ok((endpoint.received.length - 1) / seconds < 205, `${endpoint.received.length} in ${seconds} s`)
  t.match(json(), { sent: endpoint.received.length, acknowledged: endpoint.received.length, lost: 0 })
})

t.test('a stop does not wait for answers that never come', async (t) => {
  const endpoint = await startEndpoint(t, keys, () => 'silence')
  const stop = new AbortController()
  const running = simulate(endpoint.url, ['--rate', '100', '--only', 'bluepay'], { stopSignal: () => stop.signal })
  await waitFor('a notification', () => endpoint.received.length > 0)
  stop.abort()
  const { code, json } = await running
  t.equal(code, 1)
  t.match(json(), { acknowledged: 0 })
})

t.test('the plan file names every distinct change with its event id and what became of it, and no token', async (t) => {
  const endpoint = await startEndpoint(t, keys)
  const file = join(temporaryFolder(t), 'plan.json')
  const { json } = await simulate(endpoint.url, ['--count', '400', '--seed', '7', '--plan-file', file, '--late-cancels'])
  const text = readFileSync(file, 'utf8')
  const { seed, changes } = JSON.parse(text) as PlanFile
  const summary = json() as Record<string, number>
  const sum = (field: 'sent' | 'acknowledged' | 'conflicts') => changes.reduce((total, change) => total + change[field], 0)
  t.equal(seed, '7')
  t.same(
    { distinct: changes.length, sent: sum('sent'), acknowledged: sum('acknowledged'), conflicts: sum('conflicts') },
    { distinct: summary.distinct, sent: 400, acknowledged: 400, conflicts: summary.conflicts },
  )
  const events = changes.filter(({ outcome }) => outcome === 'event')
  const odd = changes.filter(({ outcome }) => outcome === 'dead-letter')
  t.ok(events.every(({ eventId }) => /^[0-9a-f]{32}$/.test(eventId ?? '')))
  t.equal(new Set(events.map(({ eventId }) => eventId)).size, events.length)
  t.equal(
    odd.reduce((total, { acknowledged }) => total + acknowledged, 0),
    summary.deadLetters,
  )
  t.ok(odd.length > 0 && odd.every(({ eventId }) => eventId === undefined))
  t.ok(changes.some(({ late }) => late))
  for (const { body } of endpoint.received) {
    for (const secret of body.match(/(2810100|2810101|TK)[A-Z0-9]{18,}/g) ?? [])
      if (text.includes(secret)) t.fail('a token in the plan file')
  }
})

t.test('wrong answers are counted, shown, and exit code 1', async (t) => {
  const other = join(temporaryFolder(t), 'keys')
  await makeKeys(other, true, Date.now())
  const endpoint = await startEndpoint(t, other)
  const { code, json } = await simulate(endpoint.url, [...alipayplusOnly, '--count', '5'])
  t.equal(code, 1)
  t.match(json(), { acknowledged: 5, wrongAnswers: 5, trouble: [/signature does not verify/] })
})

t.test('what is missing or wrong is said before anything is sent', async (t) => {
  const broken = temporaryFolder(t)
  writeFileSync(join(broken, 'simulator.json'), '{"alipayplus":[{"clientId":7}]}')
  const run = (...args: string[]) => operator(['simulate', ...args])
  t.match(await run('--keys', keys), { code: 2, err: /--target is needed/ })
  t.match(await run('--target', 'http://127.0.0.1:1'), { code: 2, err: /--keys is needed/ })
  t.match(await run('--target', 'http://127.0.0.1:1/path', '--keys', keys), { code: 2, err: /without a path/ })
  t.match(await run('--target', 'ftp://127.0.0.1', '--keys', keys), { code: 2 })
  t.match(await run('--target', 'http://127.0.0.1:1', '--keys', keys, '--only', 'nonsense'), {
    code: 2,
    err: /not known: nonsense/,
  })
  const planFile = ['--plan-file', '/nowhere/plan.json']
  t.match(await run('--target', 'http://127.0.0.1:1', '--keys', keys, ...planFile), { code: 1, err: /ENOENT.*\/nowhere/ })
  t.match(await run('--target', 'http://127.0.0.1:1', '--keys', '/nowhere'), {
    code: 1,
    err: /cannot be read.*keys make --development/,
  })
  t.match(await run('--target', 'http://127.0.0.1:1', '--keys', broken), { code: 1, err: /bluepay.*clientId must be string/s })
})

t.test('the report for people has the same figures', async (t) => {
  const endpoint = await startEndpoint(t, keys)
  const { code, out, err } = await operator([
    'simulate',
    '--target',
    endpoint.url,
    '--keys',
    keys,
    '--count',
    '30',
    '--seed',
    '5',
  ])
  t.same({ code, err }, { code: 0, err: '' }, 'no progress where there is no terminal')
  t.match(out, /Seed 5/)
  t.match(out, /requests sent +30/)
  t.match(out, /latency p50 \/ p99/)
})
