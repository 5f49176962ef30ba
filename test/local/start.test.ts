import { join } from 'node:path'
import t from 'tap'
import { startOwned } from '../../deploy/local/owned-process.ts'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { createTopicSet, type Teardown, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'

/** Runs `npm start` with Kafka and Redis of this run, under a prefix and in a folder of the test's own. */
async function npmStart(t: Teardown & { testdir: () => string }, args: string[]) {
  const { prefix } = await createTopicSet(t, { partitions: 12 })
  const { brokers, redisUrl } = testStack()
  const dir = t.testdir()
  const env = { ...process.env, KAFKA_BROKERS: brokers, REDIS_URL: redisUrl, TOPIC_PREFIX: prefix, LOCAL_DIR: dir }
  return async () => {
    const script = join(projectRoot, 'deploy/local/start.ts')
    const logFile = join(dir, 'start.log')
    const started = await startOwned({ name: 'npm start', command: process.execPath, args: [script, ...args], env, logFile })
    t.teardown(async () => void (await started.stop()))
    return started
  }
}

t.test('npm start -- --count accounts for every notification, and again on kept data with the same seed', async (t) => {
  const run = await npmStart(t, ['--simulate', '--count', '200', '--seed', '7'])
  const first = await run()
  t.equal((await first.exited).code, 0, first.output())
  const [, events] = /raw 200 = events (\d+) \+ duplicates \d+ \+ dead letters \d+/.exec(first.output()) ?? []
  t.ok(Number(events) > 100, first.output())
  t.match(first.output(), /Everything is accounted for\./)

  const second = await run()
  t.equal((await second.exited).code, 0, second.output())
  t.match(second.output(), new RegExp(`raw 400 = events ${events} \\+ duplicates`), 'the same changes make no new event')
})

t.test('without --simulate nothing is sent to a Kafka that was named; SIGTERM stops everything', async (t) => {
  const run = await npmStart(t, [])
  const started = await run()
  await waitFor('the counts', () => started.output().includes('raw=0 '), { timeoutMs: 60_000 })
  t.match(started.output(), /No simulator/)
  t.same(await started.stop(), { code: 0, signal: null })
})

t.test('--reset never touches a Kafka that was named', async (t) => {
  const run = await npmStart(t, ['--reset'])
  const refused = await run()
  t.equal((await refused.exited).code, 1)
  t.match(refused.output(), /--reset is for local data only/)
})
