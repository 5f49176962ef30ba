import type { Counts, Following } from './follow-topics.ts'
import { plainLine, type Rates, ratesOf, redraw, type Shown, showCursor, viewLines } from './live-view.ts'

export type Display = {
  /** What is going on besides the counts; shown from the next look on. */
  note: (text: string) => void
  /** Shows the last state; from then on the output is free for other lines. */
  stop: () => void
}

const terminalFrameMs = 200
const plainLineMs = 1_000
/** Rates are taken over this long, so that they do not jump about. */
const rateWindowMs = 2_000

/** Shows the counts until stopped: redrawn in place on a terminal, one plain line a second elsewhere. */
export function startDisplay(following: Following, output: NodeJS.WriteStream): Display {
  const startedAt = performance.now()
  let looks: { at: number; counts: Counts }[] = []
  let note = ''
  let drawn = 0
  let ended = false

  function look(): Shown {
    const [at, counts] = [performance.now(), following.counts()]
    looks = [...looks.filter((earlier) => at - earlier.at <= rateWindowMs), { at, counts }]
    const first = looks[0] as (typeof looks)[number]
    const rates: Rates = ratesOf(first.counts, counts, Math.max(0.001, (at - first.at) / 1000))
    return { counts, rates, lastEvents: following.lastEvents(), upSeconds: (at - startedAt) / 1000, note }
  }
  function draw(): void {
    if (!output.isTTY) return void output.write(`${plainLine(look())}\n`)
    const lines = viewLines(look(), { columns: output.columns, rows: output.rows })
    output.write(redraw(drawn, lines))
    drawn = lines.length
  }
  const timer = setInterval(draw, output.isTTY ? terminalFrameMs : plainLineMs)
  return {
    note: (text) => {
      note = text
    },
    stop() {
      if (ended) return
      ended = true
      clearInterval(timer)
      draw()
      if (output.isTTY) output.write(showCursor)
    },
  }
}
