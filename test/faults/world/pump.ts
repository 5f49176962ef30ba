/** One direction of a connection through a proxy: what goes in comes out in order, later or slower if a fault says so. */
import type { Socket } from 'node:net'

/**
 * What the network does to a connection. `cut`: it is reset, and so is every new one. `refuse`: it lives on, new ones are reset.
 * `half-open`: both sides stay connected and hear nothing any more; a connection that this befell stays so when the fault is healed, until
 * a side gives it up. `stall`: nothing arrives until the fault is healed, then everything does (packets that TCP sends again). Else it is
 * slow: each way by `delayMs`, or as if the line carried `bytesPerSecond`.
 */
export type NetworkFault = 'cut' | 'refuse' | 'half-open' | 'stall' | { delayMs?: number; bytesPerSecond?: number }

/** Bytes on their way; while they are held, all behind them wait. */
export type InFlight = { bytes: Buffer; dueAt: number; held: boolean }

export type Pump = {
  push: (bytes: Buffer, held?: boolean) => InFlight
  /** Nothing more will come: closes the socket behind the last bytes. */
  end: () => void
  /** Something changed: looks again at what may go. */
  wake: () => void
}

/** Unbounded: both protocols wait for answers, so what is under way is what their clients allow themselves. */
export function createPump(to: Socket, faultOf: () => NetworkFault | undefined): Pump {
  const queue: InFlight[] = []
  let lastDueAt = 0
  let ended = false
  let timer: NodeJS.Timeout | undefined

  const wake = () => {
    clearTimeout(timer)
    for (let next = queue[0]; next && !to.writableEnded && !to.destroyed; next = queue[0]) {
      if (next.held || isSilent(faultOf())) return
      const waitMs = next.dueAt - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(wake, waitMs)
        return
      }
      queue.shift()
      to.write(next.bytes)
    }
    if (ended && !to.writableEnded && !isSilent(faultOf())) to.end()
  }
  return {
    push(bytes, held = false) {
      lastDueAt = arrivalOf(bytes.length, faultOf(), lastDueAt)
      const inFlight = { bytes, dueAt: lastDueAt, held }
      queue.push(inFlight)
      wake()
      return inFlight
    },
    end() {
      ended = true
      wake()
    },
    wake,
  }
}

const isSilent = (fault: NetworkFault | undefined) => fault === 'stall' || fault === 'half-open'

/** When the last of these bytes is there: never before those that were sent earlier. */
function arrivalOf(bytes: number, fault: NetworkFault | undefined, lastDueAt: number): number {
  const { delayMs = 0, bytesPerSecond = Infinity } = typeof fault === 'object' ? fault : {}
  const now = performance.now()
  // The line is busy until the last bytes have left it, which is `delayMs` before they arrive.
  const startAt = Math.max(now, lastDueAt - delayMs)
  return Math.max(lastDueAt, startAt + (bytes / bytesPerSecond) * 1000 + delayMs)
}
