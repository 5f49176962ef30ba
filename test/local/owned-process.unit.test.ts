import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { explainDeath, isAlive, startOwned } from '../../deploy/local/owned-process.ts'
import { lockFolder } from '../../deploy/local/stack-lock.ts'
import { waitFor } from '../support/wait-for.ts'

/** Starts a child and waits to be killed. */
const parentProgram = (pidFile: string) => `
  import { renameSync, writeFileSync } from 'node:fs'
  import { startOwned } from ${JSON.stringify(join(import.meta.dirname, '../../deploy/local/owned-process.ts'))}
  const child = await startOwned(${JSON.stringify({ name: 'Sleeper', command: 'sleep', args: ['600'] })})
  writeFileSync(${JSON.stringify(`${pidFile}.new`)}, String(child.pid))
  renameSync(${JSON.stringify(`${pidFile}.new`)}, ${JSON.stringify(pidFile)})
  setInterval(() => {}, 1000)
`

t.test('a child ends with its parent, even when that is killed with -9', async (t) => {
  const pidFile = join(t.testdir(), 'pid')
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', parentProgram(pidFile)], { stdio: 'inherit' })
  const pid = await waitFor('the child', () => existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')))
  // Until then nobody has told the kernel yet whom to end it with.
  await waitFor('setpriv to have become it', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n')
  t.ok(isAlive(pid))
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  await waitFor('the end of the child', () => !isAlive(pid))
})

t.test('what ignores SIGTERM is killed after the grace', async (t) => {
  const logFile = join(t.testdir(), 'log')
  const stubborn = await startOwned({
    name: 'Stubborn',
    command: 'sh',
    args: ['-c', 'trap "" TERM; echo up; while :; do sleep 1; done'],
    logFile,
  })
  await waitFor('its trap', () => stubborn.output().includes('up'))
  t.match(await stubborn.stop(200), { signal: 'SIGKILL' })
})

const deaths: [string, string, RegExp][] = [
  ['a full disk', 'java.io.IOException: No space left on device', /^Program stopped because the disk is full \(log: /],
  [
    'a port that is taken',
    'java.net.BindException: Address already in use',
    /^Program could not start because another program has taken its port/,
  ],
  ['anything else', 'first\nlast words', /^Program ended; its last line: last words \(log: /],
]
for (const [what, output, sentence] of deaths) {
  t.test(`${what} is said in one sentence`, async (t) => {
    const logFile = join(t.testdir(), 'log')
    const ended = await startOwned({ name: 'Program', command: 'printf', args: ['%s', output], logFile })
    await ended.exited
    t.match(explainDeath(ended, 'ended'), sentence)
  })
}

t.test('a folder is locked once; a lock left by a dead process does not count', async (t) => {
  const folder = t.testdir({ 'stack.lock': '999999999 1' })
  const release = lockFolder(folder)
  t.throws(() => lockFolder(folder), /Another stack \(process \d+\) is running on/)
  release()
  lockFolder(folder)()
})
