/** The sender of a soak: the simulator at a steady rate, which says in between how long answers took. Ends when its parent does, not by Ctrl-C. */
import { join } from 'node:path'
import type { Summary } from '../../services/operator/simulator/ledger.ts'
import { castOf } from '../../services/operator/simulator/notification.ts'
import { describeChange, writePlanFile } from '../../services/operator/simulator/plan-file.ts'
import { loadSenders } from '../../services/operator/simulator/senders.ts'
import { simulate } from '../../services/operator/simulator/simulate.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey } from '../../shared/security/keys.ts'
import { percentile } from './bench.ts'

export type LoadInput = { gatewayUrl: string; keysDir: string; rate: number; duplicates: number; count: number; planFile: string }
/** `look`: say how it goes since the last look; `stop`: send no more, and finish. */
export type LoadOrder = { start: LoadInput } | 'look' | 'stop'
/** Acknowledgements in milliseconds since the last look; null where there were none. */
export type LoadLook = { sent: number; p50: number | null; p99: number | null }
export type LoadEnd = Pick<Summary, 'sent' | 'acknowledged' | 'distinct' | 'lost' | 'wrongAnswers'> & { trouble: string[] }
export type LoadSays = { look: LoadLook } | { end: LoadEnd }

const stop = new AbortController()
let ended = 0
let durations: number[] = []

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
process.once('disconnect', () => process.exit(1))
process.on('message', (order: LoadOrder) => {
  if (order === 'stop') stop.abort()
  else if (order === 'look') say({ look: look() })
  else void send(order.start).then((end) => process.send?.({ end } satisfies LoadSays, () => process.exit()))
})

function look(): LoadLook {
  const sorted = durations.sort((a, b) => a - b)
  durations = []
  const at = (share: number) => (sorted.length > 0 ? percentile(sorted, share) : null)
  return { sent: ended, p50: at(0.5), p99: at(0.99) }
}

async function send({ gatewayUrl, keysDir, rate, duplicates, count, planFile }: LoadInput): Promise<LoadEnd> {
  const seed = String(Date.now())
  const identity = createIdentity(loadIdentityKey(join(keysDir, 'identity.json')).key)
  const ledger = await simulate(castOf(loadSenders(join(keysDir, 'simulator.json'))), {
    ...{ target: new URL(gatewayUrl), rate, duplicates, count, seed, lateCancels: 0.1, only: [] },
    ...{ concurrency: 64, compress: 1_200, keepAll: true, stop: stop.signal },
    onProgress(done) {
      ended = done
    },
    onAnswer: (durationMs) => void durations.push(durationMs),
  })
  await writePlanFile(planFile, {
    seed,
    changes: ledger.changes().map(([change, tally]) => describeChange(change, tally, identity)),
  })
  const { sent, acknowledged, distinct, lost, wrongAnswers } = ledger.summary()
  return { sent, acknowledged, distinct, lost, wrongAnswers, trouble: ledger.trouble() }
}

function say(says: LoadSays): void {
  process.send?.(says)
}
