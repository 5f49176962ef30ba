import t from 'tap'
import { type Cast, type Delivery, isOdd, kinds, oddKinds } from '../../services/operator/simulator/notification.ts'
import { type PlanOptions, planDeliveries } from '../../services/operator/simulator/plan.ts'
import { spell } from '../../services/operator/simulator/spelling.ts'
import { canonicalText, deduplicationKey, type Fields, hasKey } from '../../shared/contracts/deduplication-key.ts'

/** Who can send, without keys: a plan never looks at any. */
const unsigned = { privateKey: '', answerPublicKey: '', path: '/a', state: 'active' } as const
const alipayplus = (clientId: string, versions: string[]) => ({
  clientId,
  keys: versions.map((keyVersion) => ({ ...unsigned, clientId, keyVersion, merchants: [] })),
  merchants: [{ authClientId: `${clientId}-1`, referenceMerchantId: 'm1' }, { authClientId: `${clientId}-2` }],
})
const bluepay = (account: string, style: 'param' | 'flat') => ({
  account,
  pathId: account,
  path: `/b/${account}`,
  style,
  privateKey: '',
  channelCode: 'C',
})
const cast: Cast = {
  alipayplus: [alipayplus('A', ['1', '2']), alipayplus('B', ['1'])],
  bluepay: [bluepay('ph', 'param'), bluepay('jt', 'flat')],
}

function take(count: number, options: Partial<PlanOptions> = {}, from = cast): Delivery[] {
  const plan = planDeliveries(from, { seed: '7', duplicates: 0.2, lateCancels: 0.1, only: [], ...options })
  return Iterator.from(plan).take(count).toArray()
}
const textOf = ({ change, content, style }: Delivery) => spell(change.provider, content, style)
const withoutSenders = (deliveries: Delivery[]) => JSON.stringify(deliveries)
const many = take(10_000)
const share = (part: Delivery[], whole = many) => part.length / whole.length
const firsts = many.filter(({ copy }) => copy === 'first')
const keyOf = ({ provider, content }: Delivery['change']) => {
  const key = typeof content === 'string' ? undefined : deduplicationKey(provider, content)
  return key && hasKey(key) ? key : undefined
}

t.test('the same seed gives the same notifications in the same order, to the byte; another seed gives others', async (t) => {
  const [once, again] = [take(500), take(500)]
  t.equal(withoutSenders(once), withoutSenders(again))
  t.same(once.map(textOf), again.map(textOf))
  const other = new Set(take(500, { seed: '8' }).map(textOf))
  t.same(
    once.map(textOf).filter((text) => other.has(text)),
    [],
  )
})

t.test('more notifications begin with the same ones', async (t) => {
  t.equal(withoutSenders(take(100)), withoutSenders(take(300).slice(0, 100)))
})

t.test('all six kinds are among the first forty, whatever the seed', async (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const seen = new Set(take(40, { seed: String(seed) }).map(({ change }) => change.kind))
    t.same(
      [...kinds.alipayplus, ...kinds.bluepay].filter((kind) => !seen.has(kind)),
      [],
      `seed ${seed}`,
    )
  }
})

t.test('the shares are those asked for', async (t) => {
  const near = (actual: number, wanted: number, what: string) =>
    t.ok(Math.abs(actual - wanted) < wanted * 0.25, `${what}: ${actual}`)
  near(share(many.filter(({ copy }) => copy !== 'first')), 0.2, 'duplicates')
  near(
    share(
      firsts.filter(({ change }) => isOdd(change)),
      firsts,
    ),
    0.03,
    'odd ones',
  )
  near(share(many.filter(({ copy }) => copy === 'conflict')), 0.01 * 0.8, 'conflicts')
  near(share(many.filter(({ change }) => change.provider === 'bluepay')), 0.42, 'BluePay')
  near(
    share(
      take(5_000, { duplicates: 0.5 }).filter(({ copy }) => copy !== 'first'),
      take(5_000),
    ),
    0.5,
    'half are copies',
  )
  t.same(
    take(2_000, { duplicates: 0 }).filter(({ copy }) => copy !== 'first'),
    [],
    'no copies',
  )
  for (const kind of oddKinds)
    t.ok(
      many.some(({ change }) => change.kind === kind),
      kind,
    )
  for (const copy of ['identical', 're-signed', 'concurrent', 'conflict'])
    t.ok(
      many.some((delivery) => delivery.copy === copy),
      copy,
    )
})

t.test('a change has a key of its own, and the odd ones have none', async (t) => {
  const ids = new Set<string>()
  for (const { change } of firsts) {
    const key = keyOf(change)
    if (isOdd(change)) t.equal(key, undefined, change.kind)
    else ids.add(JSON.stringify([change.provider, key?.fields]))
  }
  t.equal(ids.size, firsts.filter(({ change }) => !isOdd(change)).length)
})

t.test('a copy says the same in any spelling; a conflict says another thing about the same change', async (t) => {
  for (const delivery of many.filter(({ copy, change }) => copy !== 'first' && typeof change.content !== 'string')) {
    const { change, copy } = delivery
    const said = JSON.parse(textOf(delivery)) as Fields
    const same = canonicalText(said) === canonicalText(JSON.parse(JSON.stringify(change.content)))
    if (copy === 'conflict') t.ok(!same && !isOdd(change), `${change.kind}: other content`)
    else if (!same) t.fail(`${change.kind}: a copy differs`)
    const key = deduplicationKey(change.provider, said)
    if (!isOdd(change)) t.same('fields' in key && key.fields, keyOf(change)?.fields)
  }
})

t.test('copies of what cannot be understood are the same bytes', async (t) => {
  const odd = Map.groupBy(
    take(20_000, { duplicates: 0.5, only: [...oddKinds] }).filter(({ change }) => isOdd(change)),
    ({ change }) => change.number,
  )
  const repeated = [...odd.values()].filter((copies) => copies.length > 1)
  t.ok(repeated.length > 100)
  for (const copies of repeated) if (new Set(copies.map(textOf)).size !== 1) t.fail('copies differ')
})

t.test('a cancellation comes after the creation of its token, or before it where the plan says so', async (t) => {
  const tokens = new Map<string, { created?: number; canceled?: number; late: boolean }>()
  for (const { number, change } of firsts) {
    const token = keyOf(change)?.token
    if (!token) continue
    const entry = tokens.get(token) ?? { late: false }
    tokens.set(token, entry)
    if (/cancel/i.test(change.kind)) entry.canceled = number
    else Object.assign(entry, { created: number, late: change.late })
  }
  const pairs = [...tokens.values()].flatMap(({ created, canceled, late }) =>
    created !== undefined && canceled !== undefined ? [{ created, canceled, late }] : [],
  )
  t.ok(pairs.length > 1_000)
  t.same(
    pairs.filter(({ created, canceled, late }) => late !== canceled < created),
    [],
  )
  const lateShare = pairs.filter(({ late }) => late).length / pairs.length
  t.ok(lateShare > 0.07 && lateShare < 0.13, String(lateShare))
})

t.test('only what is asked for is sent, and nobody waits for what nobody sends', async (t) => {
  t.ok(take(200, { only: ['bluepay'] }).every(({ change }) => change.provider === 'bluepay'))
  t.ok(
    take(200, { only: ['TOKEN_CREATED', 'token.create.failed'] }).every(({ change }) =>
      ['TOKEN_CREATED', 'token.create.failed'].includes(change.kind),
    ),
  )
  t.throws(() => take(1, { only: ['bluepay'] }, { ...cast, bluepay: [] }), /Nobody here sends bluepay/)
  t.throws(() => take(1, {}, { alipayplus: [], bluepay: [] }), /Nobody can send/)
})
