import { StopError } from '../../shared/stage/outcome.ts'
import { infoOf, type RedisClient } from './redis.ts'

const hourMs = 60 * 60 * 1000
/** Alipay+ retries for 24 h 22 min (`providers.md` §2.6). */
const retryHorizonMs = (24 * 60 + 22) * 60 * 1000

/** Throws one sentence for each way in which the configuration would let a repeat pass as a new change. Pure. */
export function checkWindow(windowMs: number, slackMs: number, retentionMs: number): void {
  const problems: string[] = []
  if (windowMs <= retryHorizonMs + slackMs) {
    problems.push(
      `WINDOW_HOURS=${windowMs / hourMs} must be more than the providers' retry horizon (24 h 22 min) plus SLACK_HOURS=${slackMs / hourMs}`,
    )
  }
  if (retentionMs <= windowMs + slackMs) {
    problems.push(
      `the normalized topic keeps records ${retentionMs / hourMs} h: it must outlive the window and slack, since claims are made anew from it`,
    )
  }
  if (problems.length > 0) throw new Error(`De-duplication would not hold: ${problems.join('; ')}`)
}

/** Throws unless Redis is set never to evict: an evicted claim lets a duplicate pass. Reads INFO, since managed Redis often forbids CONFIG. */
export async function checkPolicy(redis: RedisClient): Promise<void> {
  for (const info of await infoOf(redis, 'memory')) {
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
    if (policy === 'noeviction') continue
    throw new StopError(`Redis may evict claims (maxmemory-policy ${policy}): set maxmemory-policy noeviction`)
  }
}
