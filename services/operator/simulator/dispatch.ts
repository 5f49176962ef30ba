import { setTimeout as sleep } from 'node:timers/promises'
import { createGate } from './gate.ts'
import type { Delivery } from './notification.ts'

export type DispatchOptions = {
  /** How many to send; undefined: until stopped. */
  count?: number | undefined
  /** Deliveries per second; undefined: as fast as answers come. */
  rate?: number | undefined
  /** Deliveries begun and not ended: in flight, waiting for an earlier one of their story, or for their next try. */
  maxOpen: number
  stop: AbortSignal
}

/**
 * Hands deliveries out in the order of the plan, at the given rate. Within a story each waits until the one before it has ended, so that
 * what is sent in order is also accepted in order; `concurrent` copies go out together with what they copy.
 */
export async function dispatch(
  deliveries: Iterable<Delivery>,
  options: DispatchOptions,
  deliver: (delivery: Delivery) => Promise<void>,
): Promise<void> {
  const { count = Number.POSITIVE_INFINITY, rate, maxOpen, stop } = options
  const open = createGate(maxOpen)
  const inOrder = createStoryOrder()
  const ended: Set<Promise<void>> = new Set()
  const startedAt = Date.now()
  let failure: unknown

  for (const delivery of deliveries) {
    if (delivery.number >= count || stop.aborted || failure) break
    if (rate)
      await sleep(Math.max(0, startedAt + (delivery.number * 1000) / rate - Date.now()), undefined, { signal: stop }).catch(
        () => {},
      )
    await open.enter()
    if (stop.aborted) break
    const work = inOrder(delivery, () => deliver(delivery))
      .catch((error) => {
        failure = error
      })
      .finally(() => {
        open.leave()
        ended.delete(work)
      })
    ended.add(work)
  }
  await Promise.all(ended)
  if (failure) throw failure
}

type Link = { before: Promise<void>; last: Promise<void> }

/** Keeps a story's deliveries one behind the other; forgets a story once nothing of it is under way. */
function createStoryOrder() {
  const links = new Map<number, Link>()
  return async ({ change: { story }, copy }: Delivery, work: () => Promise<void>): Promise<void> => {
    const link = links.get(story)
    const before = (copy === 'concurrent' ? link?.before : link?.last) ?? Promise.resolve()
    const done = before.then(work)
    const last = copy === 'concurrent' && link ? Promise.all([link.last, done]).then(() => {}) : done
    const next = { before, last }
    links.set(story, next)
    // A failed delivery ends the run; its story's others must not wait for ever.
    await last.catch(() => {})
    if (links.get(story) === next) links.delete(story)
    await done
  }
}
