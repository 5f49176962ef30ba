/** The rules of the tree: who may import whom, what lies at the top, how long a file may be. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
const files = tracked.split('\n').filter(Boolean)
/** A program that other teams copy: it uses what they have, kafkajs and the packed contracts, and nothing of the tree. */
const example = 'deploy/subscribe/typescript/subscribe.ts'
const sources = files.filter((file) => /^(services|shared|deploy|test)\/.*\.(ts|mjs)$/.test(file) && file !== example)
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')

/** A part of the tree and the parts it may import besides itself; a service is a part of its own. */
const mayImport: Record<string, string[]> = {
  'shared/contracts': [],
  'shared/runtime': ['shared/contracts'],
  'shared/security': ['shared/contracts'],
  'shared/kafka': ['shared/contracts', 'shared/runtime'],
  'shared/stage': ['shared/contracts', 'shared/runtime', 'shared/security', 'shared/kafka'],
  // What decides about a record, pure: run live by the services, and again by a replay.
  'shared/normalize': ['shared/contracts', 'shared/runtime', 'shared/security', 'shared/kafka', 'shared/stage'],
  'shared/deduplicate': ['shared/contracts', 'shared/kafka', 'shared/stage'],
  services: [
    ...['shared/contracts', 'shared/runtime', 'shared/security', 'shared/kafka', 'shared/stage'],
    ...['shared/normalize', 'shared/deduplicate'],
  ],
  deploy: ['shared/contracts', 'shared/runtime', 'shared/security', 'shared/kafka', 'shared/stage'],
}

const partOf = (file: string) => {
  const [top, second] = file.split('/')
  return top === 'shared' || top === 'services' ? `${top}/${second}` : (top as string)
}

/** What a file imports: paths within the tree, and package names. */
function importsOf(file: string): { files: string[]; packages: string[] } {
  const text = textOf(file)
  const specifiers = [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm),
    // Lines with a backtick hold text for people, such as a command to copy.
    ...text.matchAll(/^[^`\n]*\b(?:import|require|require\.resolve)\(\s*['"]([^'"]+)['"]/gm),
  ].map((match) => match[1] as string)
  return {
    files: specifiers.filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(file), name))),
    packages: specifiers.filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
  }
}

t.test('the reader of imports sees the imports', async (t) => {
  t.ok(sources.length > 50, `${sources.length} source files`)
  t.ok(importsOf('shared/kafka/client.ts').files.includes('shared/runtime/env.ts'))
  t.ok(importsOf('shared/kafka/kafkajs.ts').packages.includes('kafkajs'))
  t.ok(importsOf('services/normalizer/main.ts').files.includes('shared/stage/run-stage.ts'))
  t.ok(importsOf('shared/kafka/guards.ts').packages.includes('kafkajs/src/network/requestQueue'))
})

t.test('each part imports only what lies below it, and no service imports another', async (t) => {
  for (const file of sources.filter((file) => !file.startsWith('test/'))) {
    const part = partOf(file)
    const allowed = [part, ...(mayImport[part] ?? mayImport[part.split('/')[0] as string] ?? [])]
    const forbidden = importsOf(file).files.filter((imported) => !allowed.includes(partOf(imported)))
    t.same(forbidden, [], file)
  }
})

t.test('kafkajs stays behind shared/kafka and shared/stage', async (t) => {
  const users = sources.filter((file) => importsOf(file).packages.some((name) => /^kafkajs(\/|$)/.test(name)))
  t.ok(users.includes('shared/kafka/kafkajs.ts'))
  t.same(
    users.filter((file) => !/^(shared\/kafka|shared\/stage|test)\//.test(file)),
    [],
  )
  const direct = sources.filter((file) => importsOf(file).packages.includes('kafkajs') && !file.startsWith('test/'))
  t.same(direct, ['shared/kafka/kafkajs.ts', 'shared/kafka/replace.ts'], 'never without what is mended in it')
})

t.test('the example for subscribers imports only packages', async (t) => {
  const { files: own, packages } = importsOf(example)
  t.same(own, [])
  t.ok(packages.includes('kafkajs') && packages.includes('token-event-contracts/validate'))
})

t.test('contracts need nothing but ajv', async (t) => {
  for (const file of sources.filter((file) => file.startsWith('shared/contracts/'))) {
    t.same(
      importsOf(file).packages.filter((name) => !/^ajv(-formats)?(\/|$)/.test(name)),
      [],
      file,
    )
  }
})

t.test('the offline checker knows nothing of what it checks', async (t) => {
  const own = /^test\/faults\/checker\//
  const entry = 'test/faults/checker/main.ts'
  const reached = new Set([entry])
  for (const file of reached) for (const imported of importsOf(file).files) reached.add(imported)
  t.ok(reached.size > 10, `${reached.size} files`)
  for (const file of reached) {
    t.match(file, own)
    t.same(
      importsOf(file).packages.filter((name) => name !== 'commander' && name !== 'jose'),
      [],
      file,
    )
  }
})

t.test('every import names its file, and none is a barrel', async (t) => {
  for (const file of sources) {
    t.same(
      importsOf(file).files.filter((imported) => !/\.(ts|mjs|json)$/.test(imported)),
      [],
      `${file}: imports end in .ts`,
    )
    t.notMatch(textOf(file), /^\s*export\s*\*/m, `${file}: no export *`)
  }
  t.same(
    sources.filter((file) => /(^|\/)index\.[a-z]+$/.test(file)),
    [],
  )
})

t.test('every file has a name', async (t) => {
  t.same(
    sources.filter((file) => /(^|\/)(utils?|helpers?|common|misc|lib)(\/|\.|-)/i.test(file)),
    [],
  )
})

t.test('the top of the tree is what the README says', async (t) => {
  const top = [...new Set(files.map((file) => file.split('/')[0] as string))].filter((name) => !name.startsWith('.')).sort()
  t.same(top, ['README.md', 'deploy', 'package-lock.json', 'package.json', 'services', 'shared', 'test', 'tsconfig.json'])
})

t.test('no file of services and shared is longer than 200 lines, but the generated one', async (t) => {
  const long = sources
    .filter((file) => /^(services|shared)\//.test(file) && !textOf(file).startsWith('/** Generated from '))
    .map((file) => ({ file, lines: textOf(file).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > 200)
  t.same(long, [])
})
