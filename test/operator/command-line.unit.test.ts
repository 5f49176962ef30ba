import { execFileSync, spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { table } from '../../services/operator/answer.ts'
import { createProgram } from '../../services/operator/program.ts'
import { operator } from './operator-under-test.ts'

const root = join(import.meta.dirname, '../..')

/** Every command that does something, as the words that call it. */
function commands(): string[][] {
  const found: string[][] = []
  const walk = (command: ReturnType<typeof createProgram>, words: string[]) => {
    if (command.commands.length === 0) found.push(words)
    for (const child of command.commands) walk(child, [...words, child.name()])
  }
  const terminal = { out: () => {}, err: () => {} } as never
  walk(createProgram({ terminal, perform: () => async () => {} }), [])
  return found
}

t.test('every command explains itself: a summary, --json, examples that begin with its name', async (t) => {
  t.same(
    commands().map((words) => words.join(' ')),
    [
      ...['topics plan', 'topics check', 'topics apply', 'merchants put', 'merchants import', 'merchants diff', 'merchants list'],
      ...['merchants export', 'merchants history', 'merchants enable', 'merchants disable', 'merchants remove'],
      ...['merchants match', 'merchants unmatched'],
      ...['keys make', 'keys list', 'keys rotate', 'account', 'dlq list', 'dlq show', 'dlq redrive'],
      ...['replay plan', 'replay run', 'replay status', 'replay stop', 'replay remove', 'replay group', 'simulate', 'capacity'],
    ],
  )
  for (const words of commands()) {
    const { code, out } = await operator([...words, '--help'])
    t.equal(code, 0, words.join(' '))
    t.match(out, /--json/)
    t.match(out, new RegExp(`Examples:\n(.*\n)*  \\$ operator ${words.join(' ')}`))
  }
})

t.test('what would change something has a dry run', async (t) => {
  const changing = ['put', 'import', 'enable', 'disable', 'remove'].map((name) => `merchants ${name}`)
  for (const words of [
    'topics apply',
    ...changing,
    'keys make',
    'keys rotate',
    'dlq redrive',
    'replay run',
    'replay stop',
    'replay group',
  ])
    t.match((await operator([...words.split(' '), '--help'])).out, /--dry-run/, words)
})

t.test('a wrong command line exits 2, says why and how to get help, and writes nothing on standard output', async (t) => {
  const wrong = [
    ['nonsense'],
    ['topics', 'nonsense'],
    ['topics', 'plan', '--partitions', '0'],
    ['topics', 'plan', '--nonsense'],
    ['keys', 'make'],
    ['keys', 'rotate', '--dir', 'x', '--set', 'nonsense'],
    ['account', '--from', 'yesterday'],
    ['simulate', '--duplicates', '1.5'],
    ['simulate', '--rate', 'fast'],
  ]
  for (const args of wrong) {
    const { code, out, err } = await operator(args)
    t.same({ code, out }, { code: 2, out: '' }, args.join(' '))
    t.match(err, /error: .+\n\(--help shows how\)/)
  }
})

t.test('a wrong environment exits 2 and names every problem at once, without a value', async (t) => {
  const env = { KAFKA_TLS: 'perhaps', TOPIC_PREFIX: 'S3CRET' }
  const { code, out, err } = await operator(['topics', 'plan'], { env })
  t.same({ code, out }, { code: 2, out: '' })
  for (const name of ['KAFKA_BROKERS', 'KAFKA_TLS', 'TOPIC_PREFIX']) t.match(err, name)
  t.notMatch(err, /perhaps|S3CRET/)
})

t.test('--json prints one JSON document, errors included', async (t) => {
  const failed = await operator(['keys', 'list', '/nowhere', '--json'])
  t.same({ code: failed.code, err: failed.err }, { code: 1, err: '' })
  t.match(failed.json(), { error: /\/nowhere/ })
  const unset = await operator(['topics', 'check', '--json'])
  t.equal(unset.code, 2)
  t.match(unset.json(), { error: /KAFKA_BROKERS is not set/ })
})

t.test('an unreachable Kafka is one sentence and exit code 1', async (t) => {
  const { code, out, err } = await operator(['topics', 'plan'], { env: { KAFKA_BROKERS: '127.0.0.1:1' } })
  t.same({ code, out }, { code: 1, out: '' })
  t.match(err, /^operator: .*127\.0\.0\.1:1.*\n$/)
})

t.test('main.ts is a program: executable, with a first line that finds Node, and silent when imported', async (t) => {
  const main = join(root, 'services/operator/main.ts')
  t.ok(statSync(main).mode & 0o111, 'executable')
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` }
  t.match(execFileSync(main, ['--help'], { encoding: 'utf8', env }), /Usage: operator/)
  t.equal(spawnSync(main, ['nonsense'], { env }).status, 2)
  t.equal(execFileSync(process.execPath, ['--eval', `import(${JSON.stringify(main)})`], { encoding: 'utf8' }), '')
})

t.test('a table is as wide as its widest cells', async (t) => {
  t.equal(
    table(['a', 'long heading'], [['wider than a', 'x']]),
    'a             long heading\n------------  ------------\nwider than a  x',
  )
})
