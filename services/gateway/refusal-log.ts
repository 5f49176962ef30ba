import type { Log } from '../../shared/runtime/log.ts'

const quietMs = 60_000

/**
 * Refusals in the log, so that a flood cannot fill a disk: each one at debug, and per (provider, result) one warning a minute with the
 * count since the last. `reason` is a code; nothing of the request is logged.
 */
export function createRefusalLog(log: Log, now: () => number = Date.now) {
  const since = new Map<string, { count: number; warnedAt: number }>()

  return (provider: string, outcome: string, reason: string): void => {
    log.debug('refused', { provider, outcome, reason })
    const key = `${provider} ${outcome}`
    const entry = since.get(key) ?? { count: 0, warnedAt: Number.NEGATIVE_INFINITY }
    since.set(key, entry)
    entry.count++
    if (now() - entry.warnedAt < quietMs) return
    log.warn('refused', { provider, outcome, reason, count: entry.count })
    entry.count = 0
    entry.warnedAt = now()
  }
}
export type RefusalLog = ReturnType<typeof createRefusalLog>
