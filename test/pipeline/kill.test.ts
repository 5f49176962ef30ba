import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import t from 'tap'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { header } from '../../shared/contracts/headers.ts'
import { readAll } from '../support/read-topic.ts'
import { testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { startPipeline, temporaryFolder } from './pipeline.ts'

const operator = (...args: string[]) =>
  promisify(execFile)(join(projectRoot, 'node_modules/.bin/node'), [join(projectRoot, 'services/operator/main.ts'), ...args])

type Plan = { changes: { outcome: 'event' | 'dead-letter'; eventId?: string; acknowledged: number }[] }

/** Keys, accounts and provider keys as `npm start` makes them. */
async function developmentKeys() {
  const keys = join(temporaryFolder(), 'keys')
  await operator('keys', 'make', '--development', '--out', keys)
  const file = (name: string) => join(keys, name)
  const env = {
    ACCOUNTS_FILE: file('accounts.yaml'),
    RAW_PUBLIC_KEYS_FILE: file('raw.public.json'),
    RAW_PRIVATE_KEYS_FILE: file('raw.private.json'),
    CREDENTIAL_KEYS_FILE: file('credentials.json'),
    IDENTITY_KEY_FILE: file('identity.json'),
  }
  return { keys, env }
}

t.test(
  'a deduplicator killed in the middle of 2,000 notifications, and a Redis that forgets: nothing lost, nothing doubled',
  async (t) => {
    const { keys, env } = await developmentKeys()
    const { set, gatewayUrl, services, startAnother } = await startPipeline(t, env)
    const { topics } = set
    const planFile = join(keys, 'plan.json')
    const simulation = operator(
      ...[
        'simulate',
        '--target',
        gatewayUrl,
        '--keys',
        keys,
        '--seed',
        '11',
        '--count',
        '2000',
        '--rate',
        '250',
        '--duplicates',
        '0.3',
      ],
      ...['--plan-file', planFile, '--json'],
    )
    const processed = (service: { lines: () => Record<string, unknown>[] }) =>
      service
        .lines()
        .filter(({ event }) => event === 'batch-processed')
        .reduce((sum, { records }) => sum + Number(records), 0)

    await waitFor('the deduplicator to be in the middle of it', () => processed(services.deduplicator) > 300)
    await services.deduplicator.kill()
    const second = await startAnother('deduplicator')
    await waitFor('the second one to be at work', () => processed(second) > 200, { timeoutMs: 60_000 })
    const redis = new Redis(testStack().redisUrl)
    t.teardown(() => redis.disconnect())
    const claims = await redis.keys(`${set.prefix}d{*`)
    await redis.del(...claims)
    await second.kill()
    const third = await startAnother('deduplicator')
    await simulation

    const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan
    const acknowledged = plan.changes.filter((change) => change.acknowledged > 0)
    const expected = acknowledged.flatMap(({ outcome, eventId }) => (outcome === 'event' && eventId ? [eventId] : []))
    t.ok(expected.length > 1_000, 'there was something to lose')

    const outcome = await waitFor(
      'everything to be accounted for',
      async () => {
        const raw = await readAll(topics.raw.alipayplus, topics.raw.bluepay)
        const events = await readAll(topics.events)
        const duplicates = await readAll(topics.duplicates)
        const dead = await readAll(topics.deadLetters.normalizer, topics.deadLetters.deduplicator)
        return events.length + duplicates.length + dead.length >= raw.length && { raw, events, duplicates, dead }
      },
      { timeoutMs: 60_000 },
    )
    const { events } = outcome
    t.strictSame(events.map(({ headers }) => headers[header.id]).sort(), expected.sort(), 'one event for each distinct change')
    const origins = [...events, ...outcome.duplicates, ...outcome.dead].map(({ headers }) => headers[header.origin])
    t.equal(new Set(origins).size, outcome.raw.length, 'each raw record has one outcome')
    t.equal(origins.length, outcome.raw.length, 'raw = events + duplicates + dead letters')
    t.ok(
      third.lines().some(({ event }) => event === 'claims-rebuilt') ||
        second.lines().some(({ event }) => event === 'claims-rebuilt'),
      'the claims were made anew',
    )
    t.ok(outcome.duplicates.length > 300, 'there was something to double')
  },
)
