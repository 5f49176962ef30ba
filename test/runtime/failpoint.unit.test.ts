import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { failpoints } from '../../shared/runtime/failpoint.ts'
import { waitFor } from '../support/wait-for.ts'

const root = join(import.meta.dirname, '../..')
const names = [...new Set(Object.values(failpoints).flat())]

t.test('every failpoint stands in the code exactly once, and none has a name that the list lacks', async (t) => {
  const files = execFileSync('git', ['ls-files', 'services/*.ts', 'shared/*.ts'], { cwd: root, encoding: 'utf8' })
  const standing = files
    .trim()
    .split('\n')
    .flatMap((file) => [...readFileSync(join(root, file), 'utf8').matchAll(/ failpoint\('([^']+)'\)/g)].map(([, name]) => name))
  t.same(standing.sort(), [...names].sort())
})

const passes = `
  const { failpoint } = await import('./shared/runtime/failpoint.ts')
  for (let pass = 1; pass <= 4; pass++) {
    await failpoint('slot.decided')
    await failpoint('slot.taken')
    console.log('passed ' + pass)
  }`

function start(t: Test, armed: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', passes], {
    cwd: root,
    env: { PATH: process.env.PATH, FAILPOINT: armed },
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const exited = new Promise<string | number | null>((done) => child.on('exit', (code, signal) => done(signal ?? code)))
  t.teardown(() => child.kill('SIGKILL'))
  return { pid: child.pid as number, output: () => output, exited, wake: () => child.kill('SIGCONT') }
}

t.test('kill: the process ends at the third pass, at once, and says where', async (t) => {
  const { exited, output } = start(t, 'slot.decided:kill:3')
  t.equal(await exited, 'SIGKILL')
  t.match(output(), /passed 2\n\{"event":"failpoint","name":"slot.decided","action":"kill"/)
  t.notMatch(output(), /passed 3/)
})

t.test('stop: the process hangs there until it is woken, and goes on', async (t) => {
  const { pid, output, exited, wake } = start(t, 'slot.taken:stop:2:5')
  await waitFor('it to be stopped', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
  t.match(output(), /passed 1/)
  t.notMatch(output(), /passed 2/)
  wake()
  t.equal(await exited, 0)
  t.match(output(), /passed 4/)
})

t.test('pause: one pass waits, the others do not', async (t) => {
  const startedAt = Date.now()
  const { exited, output } = start(t, 'slot.decided:pause:1:300')
  t.equal(await exited, 0)
  t.ok(Date.now() - startedAt >= 300)
  t.match(output(), /passed 4/)
})

t.test('without the variable nothing happens', async (t) => {
  const { exited, output } = start(t, '')
  t.equal(await exited, 0)
  t.equal(output(), 'passed 1\npassed 2\npassed 3\npassed 4\n')
})
