/**
 * Named places at the await boundaries of the hot paths, where a fault test ends, stops or delays this very process:
 * `FAILPOINT=slot.decided:kill:3` kills it (-9) at the third pass, `slot.decided:stop` stops it (SIGSTOP) at the first,
 * `slot.decided:pause:1:8000` keeps that one pass waiting for 8 s while the rest of the process goes on, `slot.decided:pause:*:8000` every pass. For
 * kill and stop, milliseconds wait first, so that a request that is under way gets further. Without the variable a pass costs one comparison.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const inStage = [
  'stage.handed',
  'slot.opening',
  'slot.fenced',
  'slot.opened',
  'slot.taken',
  'slot.decided',
  'transaction.begun',
  'transaction.offsets-sending',
  'transaction.offsets-sent',
  'transaction.outputs-sending',
  'transaction.outputs-sent',
  'transaction.ending',
  'transaction.ended',
] as const

/** Every failpoint, by the service that passes it. */
export const failpoints = {
  gateway: [
    'gateway.received',
    'gateway.verified',
    'publisher.sending',
    'publisher.sent',
    'publisher.answered',
    'gateway.kept',
    'gateway.answering',
  ],
  normalizer: inStage,
  deduplicator: [...inStage, 'claims.looked', 'claims.claiming', 'claims.claimed'],
  'merchant-sync': ['registry.read', ...inStage],
  'token-states': inStage,
  /** Passed by a deduplicator whose Redis has forgotten. */
  rebuild: ['rebuild.begun', 'rebuild.read', 'rebuild.filled'],
} as const satisfies Record<string, readonly string[]>
export type Failpoint = (typeof failpoints)[keyof typeof failpoints][number]

const [armed, action, hit = '1', ms = '0'] = (process.env.FAILPOINT ?? '').split(':')
let passesLeft = Number(hit)

/** Awaited where it stands, unless what it follows is to go on meanwhile. */
export function failpoint(name: Failpoint): Promise<void> | undefined {
  if (name !== armed || (hit !== '*' && --passesLeft !== 0)) return undefined
  return act()
}

async function act(): Promise<void> {
  if (action !== 'pause' && ms !== '0') await sleep(Number(ms))
  writeSync(1, `${JSON.stringify({ event: 'failpoint', name: armed, action, at: Date.now() })}\n`)
  if (action === 'pause') await sleep(Number(ms))
  else process.kill(process.pid, action === 'stop' ? 'SIGSTOP' : 'SIGKILL')
}
