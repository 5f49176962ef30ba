import fc from 'fast-check'
import t from 'tap'
import { readJsonObject } from '../../shared/contracts/read-json.ts'

const reasonOf = (json: Buffer | string) => {
  const read = readJsonObject(json)
  return 'reason' in read ? read.reason : 'read'
}

t.test('any object that JSON.stringify writes is read as JSON.parse reads it', async () => {
  const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }))
  fc.assert(
    fc.property(object, fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      const read = readJsonObject(Buffer.from(text))
      if (!('fields' in read) || JSON.stringify(read.fields) !== JSON.stringify(JSON.parse(text))) throw new Error('differs')
    }),
  )
})

t.test('a name twice in one object is ambiguous, however it is spelled and wherever it lies', async (t) => {
  const twice = [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"a":{},"b":[1,2],"a":""}]}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a\\"":1,"a\\"":2}',
    '{ "a" : "," , "a" : 1 }',
  ]
  for (const text of twice) t.equal(reasonOf(text), 'ambiguous', text)
})

t.test('it is ambiguous if and only if some object has a name twice, whatever lies around it', async () => {
  type Tree = string | number | Tree[] | { members: [string, Tree][] }
  const name = fc.constantFrom('a', 'b', '"', '\\', ':', '{"a":', 'c\\"')
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      fc.oneof(name, fc.nat(9)),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.record({ members: fc.array(fc.tuple(name, tie('tree')), { maxLength: 4 }) }),
    ),
  }))
  const write = (node: Tree): string => {
    if (typeof node !== 'object') return JSON.stringify(node)
    if (Array.isArray(node)) return `[${node.map(write).join(', ')}]`
    return `{${node.members.map(([name, member]) => `${JSON.stringify(name)} : ${write(member)}`).join(',')}}`
  }
  const hasTwice = (node: Tree): boolean => {
    if (typeof node !== 'object') return false
    if (Array.isArray(node)) return node.some(hasTwice)
    const names = node.members.map(([name]) => name)
    return new Set(names).size < names.length || node.members.some(([, member]) => hasTwice(member))
  }
  fc.assert(
    fc.property(tree, (node) => {
      const text = write({ members: [['root', node]] })
      if (reasonOf(text) !== (hasTwice(node) ? 'ambiguous' : 'read')) throw new Error(text)
    }),
    { numRuns: 2_000 },
  )
})

t.test('the same name in different objects, or as a value, is not', async (t) => {
  const once = ['{"a":{"a":{"a":1}}}', '{"a":[{"a":1},{"a":2}]}', '{"a":"a","b":"a"}', '{"a":["a","a"],"b":1}', '{"a":1,"A":2}']
  for (const text of [...once, '{"a":"{\\"a\\":1,\\"a\\":2}"}', '{"x":[1,"a","b"],"a":[],"b":{}}'])
    t.equal(reasonOf(text), 'read', text)
})

t.test('bytes are UTF-8 without repair', async (t) => {
  t.equal(reasonOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), 'unreadable')
  t.equal(reasonOf(Buffer.from('{"a":"\u00e4"}', 'latin1')), 'unreadable', 'latin1')
  t.equal(reasonOf(Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])), 'unreadable', 'a surrogate in UTF-8')
  t.equal(reasonOf(Buffer.from('\ufeff{}')), 'not-json', 'a byte order mark')
})

t.test('half of a surrogate pair is refused in names and values, whole pairs are read', async (t) => {
  for (const text of ['{"a":"\\ud83d"}', '{"\\udc00":1}', '{"a":["x\\uDC00\\uD83D"]}', '{"a":"\ud83d"}'])
    t.equal(reasonOf(text), 'unreadable', JSON.stringify(text))
  t.equal(reasonOf('{"a":"\\ud83d\\ude00 \\\\ud83d"}'), 'read')
})

t.test('32 levels are read, 33 are not, and a body full of brackets is refused without a crash', async (t) => {
  const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  t.equal(reasonOf(nested(32)), 'read')
  t.equal(reasonOf(nested(33)), 'too-deep')
  t.equal(reasonOf(nested(32_000)), 'too-deep')
  t.equal(reasonOf('{"a":'.repeat(10_000)), 'not-json')
})

t.test('what is not one JSON object is not JSON for us', async (t) => {
  for (const text of ['', ' ', 'null', '"a"', '1', '[]', '{', '{}{}', '{a:1}', "{'a':1}", '{"a":1,}', '{"a":NaN}', '{"a":01}'])
    t.equal(reasonOf(text), 'not-json', text)
})

t.test('__proto__ is a name like any other and changes no prototype', async (t) => {
  const read = readJsonObject('{"__proto__":{"polluted":true}}')
  t.ok('fields' in read && Object.hasOwn(read.fields, '__proto__'))
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
})

t.test('no reason quotes what was read', async (t) => {
  const canary = 'canary281010033'
  for (const text of [`{"${canary}":1,"${canary}":2}`, `{"a":"${canary}"`, `["${canary}"]`, `{"${canary}":"\\ud800"}`]) {
    const read = readJsonObject(text)
    t.notMatch(JSON.stringify(read), canary, JSON.stringify(read))
    t.ok('reason' in read)
  }
})
