import { join } from 'node:path'
import t from 'tap'
import { commonEnv, kafkaEnv, readEnv } from '../../shared/runtime/env.ts'

const properties = {
  ...commonEnv,
  ...kafkaEnv,
  REDIS_URL: { type: 'string', pattern: '^rediss?://', description: 'Redis.' },
} as const
const good = { KAFKA_BROKERS: '127.0.0.1:9092', REDIS_URL: 'redis://127.0.0.1' }
const canary = 'canary-hunter2'

function problems(source: Record<string, string>): string {
  try {
    readEnv(properties, source)
  } catch (error) {
    return (error as Error).message
  }
  return 'no problem'
}

t.test('what is set is read by its type, the rest has its default', async (t) => {
  t.match(readEnv(properties, { ...good, PROBE_PORT: '8080', KAFKA_TLS: 'true' }), {
    ...good,
    PROBE_PORT: 8080,
    KAFKA_TLS: true,
    LOG_LEVEL: 'info',
    TOPIC_PREFIX: '',
  })
})

t.test('all problems are named at once, each with its description, none with a value', async (t) => {
  const message = problems({
    LOG_LEVEL: canary,
    PROBE_PORT: canary,
    KAFKA_TLS: canary,
    KAFKA_BROKERS: canary,
    TOPIC_PREFIX: canary,
  })
  for (const name of ['LOG_LEVEL', 'PROBE_PORT', 'KAFKA_TLS', 'KAFKA_BROKERS', 'REDIS_URL is not set'])
    t.match(message, new RegExp(`^ {2}${name} .*\\(.+\\.\\)$`, 'm'), name)
  t.match(message, /LOG_LEVEL must be equal to one of the allowed values: trace, debug, info, warn, error/)
  t.match(message, /deploy\/example\.env/)
  t.notMatch(message, canary)
})

t.test('numbers out of range and empty texts are problems', async (t) => {
  for (const port of ['65536', '-1', '1.5', '']) t.match(problems({ ...good, PROBE_PORT: port }), /PROBE_PORT/, port)
  for (const brokers of ['', 'kafka', 'a:1,', 'a:1 b:2', ',a:1'])
    t.match(problems({ ...good, KAFKA_BROKERS: brokers }), /KAFKA_BROKERS/)
})

t.test('a secret may come from a file, without the line end', async (t) => {
  const folder = t.testdir({ password: `${canary}\n` })
  const env = readEnv(properties, { ...good, KAFKA_PASSWORD_FILE: join(folder, 'password') })
  t.equal(env.KAFKA_PASSWORD, canary)
})

t.test('a file that cannot be read is one problem, told by its variable', async (t) => {
  const { REDIS_URL, ...others } = good
  const message = problems({ ...others, REDIS_URL_FILE: `/nowhere/${canary}` })
  t.match(message, /REDIS_URL_FILE cannot be read \(ENOENT\)/)
  t.notMatch(message, /REDIS_URL is not set/)
  t.notMatch(message, canary)
})

t.test('what a service does not ask for is none of its business', async (t) => {
  t.notOk('HOME' in readEnv(properties, { ...good, HOME: '/root' }))
})
