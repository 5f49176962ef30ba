import { readFileSync } from 'node:fs'
import { envSchema } from 'env-schema'

/** A JSON Schema property that describes itself: `deploy/example.env` is checked against these descriptions. */
type Property = { type: 'string' | 'integer' | 'boolean'; description: string } & Record<string, unknown>
export type EnvProperties = Record<string, Property>

/** What every process reads. */
export const commonEnv = {
  LOG_LEVEL: {
    type: 'string',
    enum: ['trace', 'debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'How much to log.',
  },
  PROBE_HOST: {
    type: 'string',
    default: '127.0.0.1',
    description: 'Address of /livez, /readyz and /metrics; 0.0.0.0 inside a container.',
  },
  PROBE_PORT: {
    type: 'integer',
    minimum: 0,
    maximum: 65535,
    default: 0,
    description: 'Port of /livez, /readyz and /metrics; 0 takes a free one.',
  },
} as const satisfies EnvProperties

/** What every process that talks to Kafka reads besides. */
export const kafkaEnv = {
  KAFKA_BROKERS: { type: 'string', pattern: '^[^\\s,]+:\\d+(,[^\\s,]+:\\d+)*$', description: 'Brokers as host:port,host:port.' },
  KAFKA_TLS: {
    type: 'boolean',
    default: false,
    description: 'true: TLS to the brokers, checked against the system trust store.',
  },
  KAFKA_USERNAME: { type: 'string', default: '', description: 'SASL/SCRAM-SHA-512 user; empty: no SASL.' },
  KAFKA_PASSWORD: {
    type: 'string',
    default: '',
    description: 'SASL password; better KAFKA_PASSWORD_FILE, the path of a file that holds it.',
  },
  KAFKAJS_ENCODING: {
    type: 'boolean',
    default: false,
    description: "true: kafkajs's own code encodes what is produced and decodes what is fetched, slower; the bytes are the same.",
  },
  TOPIC_PREFIX: {
    type: 'string',
    pattern: '^[a-z0-9.-]{0,64}$',
    default: '',
    description: 'Put before every topic, group and transactional id; keeps several pipelines apart on one cluster.',
  },
} as const satisfies EnvProperties

type Value<P extends Property> = P extends { enum: readonly (infer Allowed)[] }
  ? Allowed
  : P['type'] extends 'integer'
    ? number
    : P['type'] extends 'boolean'
      ? boolean
      : string
export type Env<P extends EnvProperties> = { [Name in keyof P]: Value<P[Name]> }

/**
 * Reads and checks the environment. `NAME_FILE` may stand for any `NAME`. Throws one error that names every problem at once and
 * never a value, since a value may be a secret.
 */
export function readEnv<const P extends EnvProperties>(properties: P, source: NodeJS.ProcessEnv = process.env): Env<P> {
  const problems: string[] = []
  const data: Record<string, string> = {}
  for (const name of Object.keys(properties)) {
    const file = source[`${name}_FILE`]
    const value = source[name] ?? (file === undefined ? undefined : readSecretFile(name, file, problems))
    if (value !== undefined) data[name] = value
  }
  const required = Object.keys(properties).filter((name) => !('default' in (properties[name] as Property)))
  try {
    const env = envSchema({ schema: { type: 'object', required, properties }, data, env: false })
    if (problems.length === 0) return env as Env<P>
  } catch (error) {
    for (const { instancePath, params, message } of (error as { errors?: AjvError[] }).errors ?? []) {
      const name = instancePath.slice(1) || params?.missingProperty || 'environment'
      if (params?.missingProperty && source[`${name}_FILE`] !== undefined) continue // its file is the problem, and is named above
      problems.push(params?.missingProperty ? `${name} is not set` : `${name} ${message}${listed(params?.allowedValues)}`)
    }
    if (problems.length === 0) throw error
  }
  const described = problems.map((problem) => {
    const property = properties[problem.split(' ')[0] as string]
    return `  ${problem}${property ? ` (${property.description})` : ''}`
  })
  throw new Error(`Configuration:\n${described.join('\n')}\nEvery variable is listed in deploy/example.env.`)
}

type AjvError = { instancePath: string; message?: string; params?: { missingProperty?: string; allowedValues?: string[] } }
const listed = (values?: string[]) => (values ? `: ${values.join(', ')}` : '')

function readSecretFile(name: string, file: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    problems.push(`${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return undefined
  }
}
