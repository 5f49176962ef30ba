import fc from 'fast-check'
import t from 'tap'
import { deduplicationKey, hasKey } from '../../shared/contracts/deduplication-key.ts'
import { type Provider, providers } from '../../shared/contracts/topics.ts'
import { checkAlipayPlusNotification, checkBluePayNotification } from '../../shared/contracts/validate.ts'
import { readSchemas, type Schema } from './generate-types.ts'
import { strictMistakes } from './strict.ts'

const schemas = readSchemas()

t.test('every schema and every member of it is described', async (t) => {
  t.equal(schemas.length, 7)
  for (const schema of schemas) t.same(undescribed(schema, schema), [], schema.title)
})

t.test('every schema has examples that are exactly as described', async (t) => {
  for (const schema of schemas) {
    const examples = schema.examples as unknown[]
    t.ok(examples?.length, `${schema.title} has one`)
    for (const example of examples) t.same(strictMistakes(schema.$id, example), [], schema.title)
  }
})

t.test('what is written is checked strictly: a member nobody described is a mistake', async (t) => {
  const event = (schemas.find(({ title }) => title === 'TokenEvent') as Schema & { examples: object[] }).examples[0]
  t.match(strictMistakes('urn:token-event:v1', { ...event, accessToken: 'x' }), [/additional/])
  const times = { receivedAt: '2026-11-22T05:00:00.000Z', zoneAssumed: false, sentAt: 'x' }
  t.match(strictMistakes('urn:token-event:v1', { ...event, times }), [/additional/])
})

t.test(
  'every member of what is on the topics has an example that is exactly as described, and a number says its unit',
  async (t) => {
    for (const schema of schemas.filter(({ $id }) => !$id.endsWith('-notification:v1'))) {
      for (const [path, member] of members(schema)) {
        const pointer = `${schema.$id}#${path}`
        const examples = (member.examples ?? definition(schema, member.$ref as string)?.examples ?? []) as unknown[]
        t.ok(examples.length > 0 || String(member.$ref).startsWith('urn:'), `${pointer} has an example`)
        for (const example of examples) t.same(strictMistakes(pointer, example), [], pointer)
        if (member.type === 'integer' || member.type === 'number') t.match(member.description, /Unit: /, pointer)
      }
    }
  },
)

const checks = { alipayplus: checkAlipayPlusNotification, bluepay: checkBluePayNotification }
const accepts = (provider: Provider, notification: unknown) => 'value' in checks[provider](notification)

t.test('a notification schema accepts nothing without a de-duplication key', async () => {
  const anyValue = fc.constantFrom(undefined, null, '', 'x', 5, true, 2 ** 53, 1.5, {}, ['x'])
  for (const provider of providers) {
    fc.assert(
      fc.property(notifications(provider, anyValue), (notification) => {
        if (accepts(provider, notification) && !hasKey(deduplicationKey(provider, notification))) throw new Error('accepted')
      }),
      { numRuns: 2000 },
    )
  }
})

t.test('fields that are text or nothing, in any spelling, are accepted exactly if they make a de-duplication key', async () => {
  const text = fc.constantFrom(undefined, null, '', 'x', '0', 0, 17, true, false)
  for (const provider of providers) {
    fc.assert(
      fc.property(notifications(provider, text), (notification) => {
        const keyed = hasKey(deduplicationKey(provider, notification))
        if (accepts(provider, notification) !== keyed) throw new Error(keyed ? 'refused' : 'accepted')
      }),
      { numRuns: 2000 },
    )
  }
})

/** Notifications whose fields are the schema's own. Lists and objects have no spelling as text, so they are left out. */
function notifications(provider: Provider, value: fc.Arbitrary<unknown>) {
  const schema = schemas.find(({ $id }) => $id === `urn:${provider}-notification:v1`)
  const properties = schema?.properties as Record<string, { $ref?: string; enum?: string[] }>
  const members = Object.entries(properties).filter(([, property]) => property.$ref !== undefined || property.enum)
  const types = (property: { enum?: string[] }) => fc.constantFrom(...(property.enum ?? []), 'other', undefined)
  return fc.record(Object.fromEntries(members.map(([name, member]) => [name, member.enum ? types(member) : value])))
}

/** Every member of every type of a schema, with its place. */
function members(part: unknown, path = ''): [string, Record<string, unknown>][] {
  const { properties = {}, $defs = {} } = part as Record<string, Record<string, Record<string, unknown>> | undefined>
  const own = Object.entries(properties).map(([name, member]): [string, Record<string, unknown>] => [
    `${path}/properties/${name}`,
    member,
  ])
  const inner = [...own, ...Object.entries($defs).map(([name, type]): [string, unknown] => [`${path}/$defs/${name}`, type])]
  return [...own, ...inner.flatMap(([place, type]) => members(type, place))]
}

/** Paths of the members that no description explains, neither their own nor that of the type they refer to. */
function undescribed(part: unknown, root: Schema, path = ''): string[] {
  if (typeof part !== 'object' || part === null) return []
  const schema = part as Record<string, unknown>
  const found = Object.entries((schema.properties ?? {}) as Record<string, { description?: string; $ref?: string }>)
    .filter(([, member]) => !member.description && !definition(root, member.$ref)?.description)
    .filter(() => 'title' in schema)
    .map(([name]) => `${path}/${name}`)
  if ('title' in schema && !schema.description) found.push(path || '/')
  const inner = ['$defs', 'properties'].flatMap((keyword) => Object.entries((schema[keyword] ?? {}) as Record<string, unknown>))
  return [...found, ...inner.flatMap(([name, member]) => undescribed(member, root, `${path}/${name}`))]
}

function definition(root: Schema, ref = ''): { description?: string; examples?: unknown } | undefined {
  return root.$defs?.[ref.replace('#/$defs/', '')]
}
