import { Presets, SingleBar } from 'cli-progress'

export type Progress = { advance: (done: number, note?: string) => void; end: () => void }

/** A bar on a terminal; nothing where standard error is none, so that logs and pipes stay clean. Without a total: a running count. */
export function createProgress(screen: NodeJS.WriteStream | undefined, what: string, total: number | undefined): Progress {
  if (!screen) return { advance: () => {}, end: () => {} }
  const format =
    total === undefined ? `${what}: {value}  {duration_formatted}` : `${what} {bar} {value}/{total}  {duration_formatted}`
  const bar = new SingleBar({ stream: screen, format, clearOnComplete: true, hideCursor: true }, Presets.shades_classic)
  bar.start(total ?? Number.MAX_SAFE_INTEGER, 0)
  return { advance: (done) => bar.update(done), end: () => bar.stop() }
}
