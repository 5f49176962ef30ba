import pino from 'pino'

/**
 * The fields a log line may have. An allow-list, because a list of what to hide is always one name short: bodies, tokens, headers
 * and path ids have no field to be in. Errors are reduced to name, message and code.
 */
const allowed = new Set([
  ...[
    'service',
    'event',
    'reason',
    'error',
    'code',
    'provider',
    'account',
    'status',
    'outcome',
    'durationMs',
    'port',
    'url',
    'pid',
  ],
  ...[
    'topic',
    'partition',
    'offset',
    'origin',
    'partitions',
    'group',
    'member',
    'slot',
    'slots',
    'records',
    'bytes',
    'lag',
    'count',
  ],
  ...['emitted', 'duplicates', 'conflicts', 'late', 'dropped', 'deadLetters', 'stepMs', 'transactionMs', 'attempt', 'attempts'],
  ...[
    'kid',
    'merchants',
    'subscriptions',
    'registryOffset',
    'generation',
    'from',
    'upto',
    'committed',
    'kafka',
    'signal',
    'file',
  ],
])

export type LogFields = Record<string, unknown>
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (event: string, fields?: LogFields) => void>

/** Lines of JSON on standard output, one event each: `{"level":"info","time":…,"service":…,"event":"batch-processed",…}`. */
export function createLog(service: string, level: string): Log {
  const logger = pino({
    level,
    base: { service },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  })
  const write =
    (at: keyof Log) =>
    (event: string, fields: LogFields = {}) =>
      logger[at](allowedOnly({ event, ...fields }))
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** Keeps allowed fields only; exported for its test. */
export function allowedOnly(fields: LogFields): LogFields {
  const kept: LogFields = {}
  for (const [name, value] of Object.entries(fields)) {
    if (allowed.has(name) && value !== undefined) kept[name] = loggable(value)
  }
  return kept
}

/** Scalars, and lists of them. An object would bring fields that nobody allowed. */
function loggable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(loggable)
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'object' && value !== null ? describeError(value) : value
}

/**
 * One line: the message, and the code where there is one. Stacks and causes may quote data, so they stay out; so does the message of a
 * SyntaxError, because JSON.parse quotes what it could not read.
 */
export function describeError(error: unknown): string {
  if (error instanceof SyntaxError) return 'SyntaxError: a text could not be parsed'
  if (!(error instanceof Error)) return typeof error === 'object' ? 'not an error, but an object' : String(error)
  const { code, type } = error as { code?: string; type?: string }
  const detail = type ?? code
  return detail && !error.message.includes(String(detail)) ? `${error.message} (${detail})` : error.message
}
