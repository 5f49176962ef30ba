/** The sender of a soak as its parent sees it. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { LoadEnd, LoadInput, LoadLook, LoadOrder, LoadSays } from './soak-load-worker.ts'

export type Load = {
  ended: Promise<LoadEnd>
  hasEnded: () => boolean
  /** How it went since the last look. */
  look: () => Promise<LoadLook>
  /** Sends no more; `ended` follows when what is in flight is answered. */
  stop: () => void
}

export function startLoad(input: LoadInput): Load {
  const worker = fork(join(import.meta.dirname, 'soak-load-worker.ts'))
  const order = (what: LoadOrder) => void (worker.connected && worker.send(what))
  let ended = false
  let onLook: (look: LoadLook) => void = () => {}
  const end = new Promise<LoadEnd>((resolve, reject) => {
    worker.on('message', (says: LoadSays) => {
      if ('look' in says) return onLook(says.look)
      ended = true
      resolve(says.end)
    })
    worker.once('exit', (code, signal) => {
      if (!ended) reject(new Error(`The load ended with ${signal ?? code}`))
      ended = true
    })
  })
  end.catch(() => {})
  order({ start: input })
  return {
    ended: end,
    hasEnded: () => ended,
    look: () =>
      Promise.race([
        new Promise<LoadLook>((resolve) => {
          onLook = resolve
          order('look')
        }),
        end.then(() => ({ sent: input.count, p50: null, p99: null })),
      ]),
    stop: () => order('stop'),
  }
}
