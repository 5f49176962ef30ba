/** The gateway's one Koa app: two routes, each read → verify → keep → answer. What differs between providers is in their files. */
import { METHODS } from 'node:http'
import Router from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import type { Log } from '../../shared/runtime/log.ts'
import type { Identity } from '../../shared/security/identity.ts'
import type { Accounts } from './accounts.ts'
import { createAlipayPlus, refuseAlipayPlus } from './alipayplus.ts'
import { answerBluePay, createBluePay } from './bluepay.ts'
import type { IntakeReader } from './intake.ts'
import type { Keep } from './keep.ts'
import type { Metrics } from './metrics.ts'
import type { Answer, ProviderRoute, Result } from './provider-route.ts'
import type { RefusalLog } from './refusal-log.ts'
import type { SignatureCheck } from './signature-check.ts'

export type AppOptions = {
  identity: Identity
  verifies: SignatureCheck
  intake: IntakeReader
  keep: Keep
  /** Whether the sender's address may call. */
  admits: (socketAddress: string, forwardedFor: string | undefined) => boolean
  withinRate: (client: string) => Promise<boolean>
  metrics: Metrics
  logRefusal: RefusalLog
  log: Log
  deadlinesMs: { alipayplus: number; bluepay: number }
  freshnessMs: number
  now?: () => number
}

/** Verified requests older than this are counted: late retries, or replays. */
const staleMs = 5 * 60 * 1000

export function createApp(options: AppOptions, firstAccounts: Accounts) {
  const { intake, keep, admits, withinRate, metrics, logRefusal, log, now = Date.now } = options
  let routes = createRoutes(firstAccounts)

  function end(
    ctx: Context,
    provider: ProviderRoute['provider'] | 'none',
    result: Result,
    answer: Answer,
    reason: string = result,
  ): void {
    metrics.requests.inc({ provider, result })
    if (result !== 'accepted') logRefusal(provider, result, reason)
    ctx.status = answer.status
    ctx.set(answer.headers)
    if (result === 'method') ctx.set('Allow', 'POST')
    ctx.body = answer.body
  }

  async function receive(ctx: Context, route: ProviderRoute): Promise<void> {
    const { provider } = route
    const refuse = (result: Result) => end(ctx, provider, result, route.refuse(result))
    if (ctx.method !== 'POST') return refuse('method')
    if (!isPlainJson(ctx)) return refuse('media-type')
    const taken = await intake.read(ctx.req)
    if ('refused' in taken) {
      if (taken.refused === 'aborted') ctx.respond = false
      return refuse(taken.refused)
    }
    try {
      await failpoint('gateway.received')
      const receivedAt = now()
      const verdict = route.check({ path: ctx.path, rawHeaders: ctx.req.rawHeaders, body: taken.body, receivedAt })
      if (verdict.kind === 'refused') {
        if (verdict.result === 'stale') metrics.staleRequests.inc({ provider })
        else metrics.verifyFailures.inc({ provider })
        return end(ctx, provider, verdict.result, verdict.answer, verdict.reason)
      }
      const { notification } = verdict
      if ((notification.ageMs ?? 0) > staleMs) metrics.staleRequests.inc({ provider })
      await failpoint('gateway.verified')
      const allowed = await withinRate(`${provider}/${notification.client}`)
      const result = allowed ? await keep(route, notification, taken.body, receivedAt) : 'rate-limited'
      if (result === 'accepted') metrics.seconds.observe({ provider }, (now() - receivedAt) / 1000)
      await failpoint('gateway.kept')
      log.debug('notification', { provider, account: notification.account, outcome: result })
      end(ctx, provider, result, verdict.answer(result, now()))
      // Not awaited: the answer is on its way while this waits.
      void failpoint('gateway.answering')
    } finally {
      taken.release()
    }
  }

  /** Both providers' routes for one reading of the accounts: a request in hand goes on with those it began with. */
  function createRoutes({ alipayplus, bluepay }: Accounts): {
    middleware: Middleware
    refuse: (path: string, result: Result) => Answer
  } {
    const router = new Router({ strict: true, sensitive: true })
    const { deadlinesMs, identity, verifies, freshnessMs } = options
    if (alipayplus) {
      const route = createAlipayPlus(alipayplus, { identity, verifies, freshnessMs, deadlineMs: deadlinesMs.alipayplus })
      router.register(alipayplus.path, METHODS, (ctx: Context) => receive(ctx, route))
    }
    if (bluepay) {
      const route = createBluePay(bluepay, { identity, verifies, deadlineMs: deadlinesMs.bluepay })
      router.register(`${bluepay.path}/:pathId`, METHODS, (ctx: Context) => receive(ctx, route))
    }
    const isBluePays = (path: string) => bluepay !== undefined && `${path}/`.startsWith(`${bluepay.path}/`)
    return {
      middleware: router.routes() as Middleware,
      refuse: (path, result) => (isBluePays(path) ? answerBluePay(result) : refuseAlipayPlus(result)),
    }
  }

  const app = new Koa()
  // Koa prints errors with their stack, and a stack may quote data.
  app.on('error', (error) => log.debug('http-error', { reason: placeOf(error) }))
  app.use(async (ctx, next) => {
    const { middleware, refuse } = routes
    const none = (result: Result) => end(ctx, 'none', result, refuse(ctx.path, result))
    try {
      if (!admits(ctx.req.socket.remoteAddress ?? '', ctx.get('X-Forwarded-For'))) return none('address')
      // A query string or a whole URL: the provider signed a path in one spelling, and so it must be called.
      if (ctx.req.url !== ctx.path) return none('unknown-path')
      await middleware(ctx, next)
      if (ctx.status === 404 && ctx.body === undefined && ctx.respond !== false) none('unknown-path')
    } catch (error) {
      log.error('request-failed', { reason: placeOf(error) })
      none('failed')
    }
  })

  return {
    handle: app.callback(),
    replaceAccounts(accounts: Accounts): void {
      routes = createRoutes(accounts)
    },
  }
}

/** What kind of error, and where. Not its message: that may quote what was being read. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'not an error'
  const frames = error.stack?.slice(error.stack.indexOf(error.message) + error.message.length) ?? ''
  return `${error.name}${frames.split('\n', 2).join(' ')}`
}

/** The media type of both providers; Alipay+ may leave it out. Anything that changes the bytes on the way (gzip, another charset) is refused. */
function isPlainJson(ctx: Context): boolean {
  const coding = ctx.get('Content-Encoding').trim().toLowerCase()
  const type = ctx.get('Content-Type')
  return (
    (coding === '' || coding === 'identity') &&
    (type === '' || /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?;?\s*$/i.test(type))
  )
}
