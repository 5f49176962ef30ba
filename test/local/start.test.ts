import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { createTopicSet, type Teardown, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

/** `npm start` with Kafka and Redis of this run, under a prefix and in a folder of the test's own. */
async function npmStart(t: Teardown & { testdir: () => string }, args: string[]) {
  const { prefix } = await createTopicSet(t, { partitions: 12 })
  const { brokers, redisUrl } = testStack()
  const env = { ...process.env, KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, TOPIC_PREFIX: prefix, LOCAL_DIR: t.testdir() }
  const run = () => {
    const child = spawn(process.execPath, [join(projectRoot, 'deploy/local/start.ts'), ...args], { env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    t.teardown(() => void child.kill('SIGKILL'))
    return { child, output: () => output, exited: once(child, 'exit') as Promise<[number | null, string | null]> }
  }
  return { run }
}

t.test('npm start -- --count accounts for every notification, and again on kept data with the same seed', async (t) => {
  const { run } = await npmStart(t, ['--simulate', '--count', '200', '--seed', '7'])
  const first = run()
  t.equal((await first.exited)[0], 0, first.output())
  const [, events] = /raw 200 = events (\d+) \+ duplicates \d+ \+ dead letters \d+/.exec(first.output()) ?? []
  t.ok(Number(events) > 100, first.output())
  t.match(first.output(), /Everything is accounted for\./)

  const second = run()
  t.equal((await second.exited)[0], 0, second.output())
  t.match(second.output(), new RegExp(`raw 400 = events ${events} \\+ duplicates`), 'the same changes make no new event')
})

t.test('without --simulate nothing is sent to a Kafka that was named; SIGTERM stops everything', async (t) => {
  const { run } = await npmStart(t, [])
  const started = run()
  await waitFor('the counts', () => started.output().includes('raw=0 '), { timeoutMs: 60_000 })
  t.match(started.output(), /No simulator/)
  started.child.kill('SIGTERM')
  t.same(await started.exited, [0, null])
})

t.test('--reset never touches a Kafka that was named', async (t) => {
  const { run } = await npmStart(t, ['--reset'])
  const refused = run()
  t.equal((await refused.exited)[0], 1)
  t.match(refused.output(), /--reset is for local data only/)
})
