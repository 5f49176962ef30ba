const tickMs = 100
/** A turn of the event loop longer than this, or some ticks in a row without idle time, is overload; it counts as such for a while. */
const longTurnMs = 250
const busyShare = 0.95
const busyTicks = 3
const calmDownMs = 1_000
const rememberMs = 10_000
const maxRemembered = 10_000

/**
 * Who lately sent what is no proper request: broken HTTP, bodies that trickle or come in crumbs, pipelines. 64 KiB of the worst of it keep
 * Node's parser busy for some 12 ms, so a crowd of such senders fills the queue before `accept` and everybody waits. While the process is
 * overloaded, and only then, suspects are dropped unread, which costs a hundredth. At other times being one means nothing, because an
 * honest sender may share the address.
 */
export function createSuspects() {
  const since = new Map<string, number>()
  let utilization = performance.eventLoopUtilization()
  let tickedAt = performance.now()
  let overloadedUntil = 0
  let busy = 0

  const ticker = setInterval(() => {
    const now = performance.now()
    const latest = performance.eventLoopUtilization()
    busy = performance.eventLoopUtilization(latest, utilization).utilization > busyShare ? busy + 1 : 0
    if (busy >= busyTicks || now - tickedAt > tickMs + longTurnMs) overloadedUntil = now + calmDownMs
    utilization = latest
    tickedAt = now
    for (const [address, at] of since) if (now - at > rememberMs) since.delete(address)
  }, tickMs)
  ticker.unref()

  return {
    /** Asked within a long turn of the loop, too, when no timer can fire. */
    overloaded(): boolean {
      const now = performance.now()
      return now < overloadedUntil || now - tickedAt > tickMs + longTurnMs
    },
    add(address: string): void {
      if (since.size < maxRemembered) since.set(address, performance.now())
    },
    has: (address: string) => since.has(address),
  }
}
export type Suspects = ReturnType<typeof createSuspects>
