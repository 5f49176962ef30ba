import { createDeliver } from './deliver.ts'
import { dispatch } from './dispatch.ts'
import { createHttpClient } from './http.ts'
import { type Attempt, createLedger, type Ledger } from './ledger.ts'
import type { Cast } from './notification.ts'
import { type PlanOptions, planDeliveries } from './plan.ts'

export type SimulationOptions = PlanOptions & {
  target: URL
  count: number | undefined
  rate: number | undefined
  concurrency: number
  compress: number
  /** Remember every change, for the plan file. */
  keepAll: boolean
  onProgress: (ended: number) => void
  /** How long an answer took. */
  onAnswer?: (durationMs: number) => void
  stop: AbortSignal
}

/** Deliveries under way at once, those that wait for their next try included: an unreachable target holds the run up here. */
const maxOpen = 2_000
/** Once asked to stop, what is in flight has this long to be answered. */
const graceMs = 5_000

/** Sends the plan to the target and counts what comes back. */
export async function simulate(cast: Cast, options: SimulationOptions): Promise<Ledger> {
  const { target, concurrency, compress, count, rate, stop, onProgress, onAnswer } = options
  const ledger = createLedger(options.keepAll)
  const client = createHttpClient(target, concurrency)
  const record = (attempt: Attempt) => {
    if (attempt.verdict) onAnswer?.(attempt.durationMs)
    ledger.record(attempt)
  }
  const deliver = createDeliver({ client, ledger: { ...ledger, record }, concurrency, compress, stop })
  let ended = 0
  let hurry: NodeJS.Timeout | undefined
  stop.addEventListener('abort', () => {
    hurry = setTimeout(client.close, graceMs)
  })
  try {
    await dispatch(planDeliveries(cast, options), { count, rate, maxOpen, stop }, async (delivery) => {
      await deliver(delivery)
      onProgress(++ended)
    })
    return ledger
  } finally {
    clearTimeout(hurry)
    client.close()
  }
}
