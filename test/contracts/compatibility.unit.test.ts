/** BACKWARD_TRANSITIVE: what any published version wrote is read today, and today the same bytes are written. */
import t from 'tap'
import { topicNames } from '../../shared/contracts/topics.ts'
import {
  checkDuplicate,
  checkMerchant,
  checkMerchantSync,
  checkTokenEvent,
  checkTokenState,
} from '../../shared/contracts/validate.ts'
import { breakingChanges } from './additions-only.ts'
import { readSchemas } from './generate-types.ts'
import { type GoldenRecord, type GoldenSample, goldenVersions, writeGolden } from './golden.ts'
import { readCloudEvent } from './read-cloud-event.ts'
import { undocumented } from './undocumented.ts'

const versions = goldenVersions()
const topics = topicNames()
const checks: Record<string, (value: unknown) => object> = {
  [topics.normalized]: checkTokenEvent,
  [topics.events]: checkTokenEvent,
  [topics.duplicates]: checkDuplicate,
  [topics.syncs]: checkMerchantSync,
  [topics.states]: checkTokenState,
}

t.test('every golden record of every version is read as it is', async (t) => {
  for (const { version, samples } of versions) {
    for (const { name, records } of samples) {
      t.ok(records.length >= 2, `${version}/${name}: normalized, and what becomes of it`)
      for (const record of records) {
        const value: unknown = JSON.parse(record.value)
        t.strictSame(checks[record.topic]?.(value), { value }, `${version}/${name}: ${record.topic}`)
        t.strictSame(undocumented(record), [], `${version}/${name}: ${record.topic} is as the AsyncAPI document says`)
        if ('ce_id' in record.headers) t.strictSame(readCloudEvent(record.headers, record.value).data, value)
      }
    }
  }
})

t.test('the code of today writes the newest sample of each name to the byte', async (t) => {
  const newest = new Map<string, GoldenSample>()
  for (const { samples } of versions) for (const sample of samples) newest.set(sample.name, sample)
  const merchants = versions.flatMap((version) => version.merchants)
  for (const { name, records, ...sample } of newest.values()) {
    t.strictSame(
      writeGolden(sample, merchants),
      records,
      `${name} differs: if this is an optional addition, keep the old sample and publish a new version of it (README, Change a schema)`,
    )
  }
})

t.test('there is a sample of every type of event, of a late one, of both kinds of duplicate, of syncs and states', async (t) => {
  const records = versions.flatMap(({ samples }) => samples.flatMap((sample) => sample.records))
  const of = (topic: string) => records.filter((record) => record.topic === topic)
  const values = <T>(wanted: GoldenRecord[], member: string) =>
    [...new Set(wanted.map(({ value }) => (JSON.parse(value) as Record<string, T>)[member]))].sort()
  const events = of(topics.events)
  t.strictSame([...new Set(events.map(({ headers, value }) => `${JSON.parse(value).provider} ${headers.ce_type}`))].sort(), [
    'alipayplus authorization-code.created',
    'alipayplus token.canceled',
    'alipayplus token.created',
    'bluepay token.canceled',
    'bluepay token.created',
    'bluepay token.creation-failed',
    'bluepay token.expired',
  ])
  t.strictSame(values(events, 'late'), [false, true])
  t.strictSame(values(of(topics.duplicates), 'conflict'), [false, true])
  t.strictSame(values(of(topics.syncs), 'subscriptionId'), ['default', 'tokens'])
  t.strictSame(values(of(topics.states), 'status'), ['active', 'canceled', 'expired'])
})

t.test('registry entries of every version are valid: the registry keeps them for ever', async (t) => {
  for (const value of versions.flatMap(({ merchants }) => merchants)) t.strictSame(checkMerchant(value), { value })
})

t.test('each published schema differs from what it was in every version only by optional additions', async (t) => {
  const today = new Map(readSchemas().map((schema) => [schema.$id, schema]))
  for (const { version, schemas } of versions) {
    for (const [file, schema] of schemas) t.strictSame(breakingChanges(schema, today.get(schema.$id)), [], `${version}/${file}`)
  }
  const published = versions.flatMap(({ schemas }) => [...schemas.values()].map(({ $id }) => $id))
  const own = [...today.keys()].filter((id) => !id.endsWith('-notification:v1'))
  t.strictSame(
    own.filter((id) => !published.includes(id)),
    [],
    'a new schema is copied to test/contracts/golden/<version> when it is published',
  )
})

t.test('what would break a reader is found, and what would not is let through', async (t) => {
  const then = {
    description: 'x',
    type: 'object',
    required: ['a'],
    properties: { a: { enum: ['x', 'y'] }, b: { type: 'string', pattern: '^a', maxLength: 9 }, c: { $ref: '#/$defs/c' } },
    $defs: { c: { type: 'object', properties: { d: { type: 'integer' } } } },
  }
  const now = (change: (schema: typeof then & Record<string, unknown>) => void) => {
    const schema = structuredClone(then) as typeof then & Record<string, unknown>
    change(schema)
    return breakingChanges(then, schema)
  }
  const { properties, $defs } = then
  const breaking: Record<string, [Parameters<typeof now>[0], RegExp]> = {
    'a member is gone': [
      (s) => Object.assign(s, { properties: { a: properties.a, b: properties.b } }),
      /^\/properties\/c is gone/,
    ],
    'a member is demanded': [(s) => s.required.push('b'), /^\/required: b is new/],
    'a member may be left out': [(s) => s.required.pop(), /^\/required: a is gone/],
    'a value is gone': [(s) => s.properties.a.enum.pop(), /^\/properties\/a\/enum was \["x","y"\] and is \["x"\]/],
    'a value is new': [(s) => s.properties.a.enum.push('z'), /^\/properties\/a\/enum was/],
    'another type': [(s) => Object.assign(s.properties.b, { type: 'integer' }), /^\/properties\/b\/type was "string"/],
    'another pattern': [(s) => Object.assign(s.properties.b, { pattern: '^ab' }), /^\/properties\/b\/pattern was/],
    'no pattern': [
      (s) => Object.assign(s.properties, { b: { type: 'string', maxLength: 9 } }),
      /^\/properties\/b\/pattern is gone/,
    ],
    'a new demand': [(s) => Object.assign(s.properties.a, { minLength: 1 }), /^\/properties\/a\/minLength is new/],
    'closed to additions': [(s) => Object.assign(s, { additionalProperties: false }), /^\/additionalProperties is new/],
    'deep inside': [(s) => Object.assign(s.$defs.c.properties.d, { minimum: 0 }), /^\/\$defs\/c\/properties\/d\/minimum is new/],
    'a type is gone': [(s) => Object.assign(s, { $defs: {} }), /^\/\$defs\/c is gone/],
  }
  for (const [name, [change, message]] of Object.entries(breaking)) {
    const found = now(change)
    t.equal(found.length, 1, name)
    t.match(found[0], message)
  }
  const additions = now((schema) => {
    Object.assign(schema, { description: 'better', examples: [{ a: 'x' }] })
    Object.assign(schema.properties, { e: { type: 'object', required: ['f'], properties: { f: { type: 'string' } } } })
    Object.assign(schema.$defs, { g: { ...$defs.c, title: 'G' } })
  })
  t.strictSame(additions, [])
})
