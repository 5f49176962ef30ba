import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { startPipeline } from './pipeline.ts'
import { type Accounts, accountsOf, developmentKeys, processed, simulate } from './simulation.ts'

function checkAccounts(t: Test, accounts: Accounts, expected: string[]): void {
  t.strictSame(accounts.eventIds.sort(), expected.sort(), 'one event for each distinct change')
  t.equal(new Set(accounts.origins).size, accounts.raw, 'each raw record has an outcome')
  t.equal(accounts.origins.length, accounts.raw, 'and only one: raw = events + duplicates + dead letters')
}

t.test(
  'a deduplicator killed in the middle of 2,000 notifications, and a Redis that forgets: nothing lost, nothing doubled',
  async (t) => {
    const { keys, env } = await developmentKeys()
    const pipeline = await startPipeline(t, env)
    const { set, gatewayUrl, services, startAnother } = pipeline
    const simulation = simulate(gatewayUrl, keys, { seed: 11, count: 2_000, rate: 120 })

    await waitFor('the deduplicator to be in the middle of it', () => processed(services.deduplicator) > 300)
    await services.deduplicator.kill()
    const second = await startAnother('deduplicator')
    await waitFor('the second one to be at work', () => processed(second) > 200, { timeoutMs: 60_000 })
    const redis = new Redis(testStack().redisUrl)
    t.teardown(() => redis.disconnect())
    await redis.del(...(await redis.keys(`${set.prefix}d{*`)))
    await second.kill()
    const third = await startAnother('deduplicator')

    const expected = await simulation
    const accounts = await accountsOf(pipeline)
    checkAccounts(t, accounts, expected)
    t.ok(expected.length > 1_000 && accounts.duplicates.length > 300, 'there was something to lose and to double')
    t.ok(
      [second, third].some((service) => service.lines().some(({ event }) => event === 'claims-rebuilt')),
      'the claims were made anew',
    )
  },
)

t.test('a normalizer and a deduplicator that hang, are replaced, and wake up late: nothing lost, nothing doubled', async (t) => {
  const { keys, env } = await developmentKeys()
  const pipeline = await startPipeline(t, env)
  const { gatewayUrl, services, startAnother } = pipeline
  const simulation = simulate(gatewayUrl, keys, { seed: 12, count: 3_000, rate: 120 })

  const hanging = [services.normalizer, services.deduplicator]
  await waitFor('both to be in the middle of it', () => hanging.every((service) => processed(service) > 200))
  for (const service of hanging) service.pause()
  const replacements = [await startAnother('normalizer'), await startAnother('deduplicator')]
  await waitFor('the replacements to be at work', () => replacements.every((service) => processed(service) > 100), {
    timeoutMs: 60_000,
  })
  const before = hanging.map(processed)
  for (const service of hanging) service.resume()
  const assignments = () => hanging.map((service) => service.lines().filter(({ event }) => event === 'assigned').length)
  await waitFor('the ones that hung to be in their group again', () => assignments().every((count) => count > 1), {
    timeoutMs: 60_000,
  })

  const expected = await simulation
  checkAccounts(t, await accountsOf(pipeline), expected)
  t.ok(
    hanging.some((service, index) => processed(service) > (before[index] as number)),
    'and they work again',
  )
})
