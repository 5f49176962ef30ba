/** A steady signed load of both providers, with copies, conflicts and late cancels, and the history of what was sent and answered. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { dispatch } from '../../../services/operator/simulator/dispatch.ts'
import { createGate } from '../../../services/operator/simulator/gate.ts'
import { createHttpClient, type HttpRequest } from '../../../services/operator/simulator/http.ts'
import { type Cast, type Change, type Delivery, isOdd } from '../../../services/operator/simulator/notification.ts'
import { planDeliveries } from '../../../services/operator/simulator/plan.ts'
import { answerTimeoutMs, retryPausesMs, signDelivery } from '../../../services/operator/simulator/wire.ts'
import { waitFor } from '../../support/wait-for.ts'

/** One HTTP attempt, as the offline checker reads it: a line of JSON. */
export type Attempt = {
  n: number
  change: number
  story: number
  copy: Delivery['copy']
  kind: Change['kind']
  provider: Change['provider']
  /** Verifies and cannot be understood. */
  odd: boolean
  /** Of the exact body sent. */
  sha256: string
  startedAt: number
  endedAt: number
  outcome: 'acknowledged' | 'call-again' | 'refused' | 'unanswered'
}

type Options = { cast: Cast; target: URL; seed: string; rate: number; historyFile: string }

/** Alipay+ retries from 2 minutes to 15 hours apart (`providers.md` §2.6); here so many times faster. */
const compress = 1_200
const concurrency = 64
const maxOpen = 4_000

export type Load = ReturnType<typeof startLoad>

export function startLoad({ cast, target, seed, rate, historyFile }: Options) {
  const history = createWriteStream(historyFile)
  const client = createHttpClient(target, concurrency)
  const places = createGate(concurrency)
  const stopping = new AbortController()
  const firstRequests = new WeakMap<Change, HttpRequest>()
  const outcomes: { at: number; acknowledged: boolean }[] = []
  let resume: (() => void) | undefined
  let paused: Promise<void> | undefined
  let attempts = 0

  async function attemptOnce(delivery: Delivery, attempt: number): Promise<boolean> {
    const { change, copy } = delivery
    const { request: signed, judge } = signDelivery(delivery, Date.now())
    const request = attempt === 1 && copy === 'identical' ? (firstRequests.get(change) ?? signed) : signed
    if (copy === 'first' && attempt === 1) firstRequests.set(change, signed)
    const startedAt = Date.now()
    const outcome = await client.send(request, answerTimeoutMs[change.provider]).then(
      (answer) => judge(answer).result,
      () => 'unanswered' as const,
    )
    const { provider, kind, story, number } = change
    const sha256 = createHash('sha256').update(request.body).digest('hex')
    const endedAt = Date.now()
    const line: Attempt = {
      ...{ n: ++attempts, change: number, story, copy, kind, provider, odd: isOdd(change) },
      ...{ sha256, startedAt, endedAt, outcome },
    }
    history.write(`${JSON.stringify(line)}\n`)
    outcomes.push({ at: endedAt, acknowledged: outcome === 'acknowledged' })
    return outcome === 'acknowledged'
  }

  async function deliver(delivery: Delivery): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await paused
      if (stopping.signal.aborted && attempt === 1) return
      if (await places.pass(() => attemptOnce(delivery, attempt))) return
      const pauseMs = retryPausesMs(delivery.change.provider, compress)[attempt - 1]
      if (pauseMs === undefined || stopping.signal.aborted) return
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const plan = planDeliveries(cast, { seed, duplicates: 0.3, lateCancels: 0.2, only: [] })
  const dispatched = dispatch(plan, { rate, maxOpen, stop: stopping.signal }, deliver)
  dispatched.catch(() => {})

  return {
    sent: () => attempts,
    /** When the first acknowledgement at or after `since` came. */
    untilAcknowledged: (since: number) =>
      waitFor('the gateway to acknowledge', () => outcomes.find(({ at, acknowledged }) => acknowledged && at >= since)?.at, {
        timeoutMs: 120_000,
      }),
    /** Attempts that ended in [from, to), whatever came of them. */
    answered: (from: number, to = Number.POSITIVE_INFINITY) => outcomes.filter(({ at }) => at >= from && at < to).length,
    /** Acknowledged attempts whose answer came in [from, to). */
    acknowledged: (from: number, to = Number.POSITIVE_INFINITY) =>
      outcomes.filter(({ at, acknowledged }) => acknowledged && at >= from && at < to).length,
    /** Nothing new is sent until `resume`; what was due meanwhile follows then. */
    pause(): void {
      paused ??= new Promise((done) => {
        resume = done
      })
    },
    resume(): void {
      resume?.()
      paused = undefined
    },
    /** Sends no more, waits for the answers under way, closes the history. Throws if the load itself failed. */
    async stop(): Promise<void> {
      stopping.abort()
      resume?.()
      await dispatched
      client.close()
      history.end()
      await finished(history)
    },
  }
}
