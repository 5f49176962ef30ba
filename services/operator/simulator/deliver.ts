import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '../../../shared/runtime/log.ts'
import { createGate } from './gate.ts'
import type { HttpClient, HttpRequest } from './http.ts'
import type { Ledger } from './ledger.ts'
import type { Change, Delivery } from './notification.ts'
import { answerTimeoutMs, retryPausesMs, signDelivery } from './wire.ts'

type Options = { client: HttpClient; ledger: Ledger; concurrency: number; compress: number; stop: AbortSignal }

/**
 * Sends one delivery as its provider would: signs it, waits for the answer, and on anything but an acknowledgement tries again by the
 * documented schedule, signed anew. Ends when it is acknowledged or given up.
 */
export function createDeliver({ client, ledger, concurrency, compress, stop }: Options): (delivery: Delivery) => Promise<void> {
  const places = createGate(concurrency)
  /** The first signed form of a change, for its identical copies; forgotten with the change. */
  const firstRequests = new WeakMap<Change, HttpRequest>()

  async function attemptOnce(delivery: Delivery, attempt: number): Promise<boolean> {
    const signed = signDelivery(delivery, Date.now())
    const { change, copy } = delivery
    const first = attempt === 1 && copy === 'identical' ? firstRequests.get(change) : undefined
    if (copy === 'first' && attempt === 1) firstRequests.set(change, signed.request)
    const startedAt = performance.now()
    try {
      const answer = await client.send(first ?? signed.request, answerTimeoutMs[change.provider])
      const verdict = signed.judge(answer)
      ledger.record({ delivery, attempt, verdict, durationMs: performance.now() - startedAt })
      return verdict.result === 'acknowledged'
    } catch (error) {
      ledger.record({ delivery, attempt, reason: describeError(error), durationMs: performance.now() - startedAt })
      return false
    }
  }

  return async (delivery) => {
    if (stop.aborted) return
    for (let attempt = 1; ; attempt++) {
      if (await places.pass(() => attemptOnce(delivery, attempt))) return
      const pauseMs = retryPausesMs(delivery.change.provider, compress)[attempt - 1]
      if (pauseMs === undefined || stop.aborted) return ledger.lose()
      await sleep(pauseMs, undefined, { signal: stop }).catch(() => {})
      if (stop.aborted) return ledger.lose()
    }
  }
}
