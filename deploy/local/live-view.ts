/** What `npm start` shows while it runs: a block redrawn in place on a terminal, a plain line a second elsewhere. */
import type { Counts, LastEvent } from './follow-topics.ts'

export type Shown = { counts: Counts; rates: Rates; lastEvents: LastEvent[]; upSeconds: number; note: string }
export type Rates = Pick<Counts, 'raw' | 'normalized' | 'events' | 'syncs'>

export const lagOf = ({ lag }: Counts) => lag.normalizer + lag.deduplicator + lag.merchantSync + lag.tokenStates

/** Records per second between two looks. Pure. */
export function ratesOf(before: Counts, now: Counts, seconds: number): Rates {
  const rate = (name: keyof Rates) => Math.max(0, Math.round((now[name] - before[name]) / seconds))
  return { raw: rate('raw'), normalized: rate('normalized'), events: rate('events'), syncs: rate('syncs') }
}

/** One line of `name=value`, for pipes and logs. Pure. */
export function plainLine({ counts, rates, upSeconds, note }: Shown): string {
  const { raw, normalized, events, duplicates, deadLetters, syncs, states } = counts
  const fields = {
    raw,
    normalized,
    events,
    duplicates,
    'dead-letters': deadLetters,
    syncs,
    states,
    lag: lagOf(counts),
    rate: `${rates.raw}/s`,
  }
  const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  return [`${Math.round(upSeconds)}s`, ...text, ...(note ? [`(${note})`] : [])].join(' ')
}

const number = new Intl.NumberFormat('en-US')
/** Lines of the block besides the last events. */
const fixedLines = 11

/** The block, cut to the size of the screen. Pure. */
export function viewLines(
  { counts, rates, lastEvents, upSeconds, note }: Shown,
  size: { columns: number; rows: number },
): string[] {
  const row = (name: string, count: number, rate?: number, lag?: number) =>
    [
      `  ${name.padEnd(14)}${number.format(count).padStart(11)}`,
      (rate === undefined ? '' : `${number.format(rate)}/s`).padStart(10),
      lag === undefined ? '' : `   lag ${number.format(lag)}`,
    ].join('')
  const lines = [
    `  up ${formatDuration(upSeconds)}${note ? `   ${note}` : ''}`,
    '',
    row('raw', counts.raw, rates.raw),
    row('normalized', counts.normalized, rates.normalized, counts.lag.normalizer),
    row('events', counts.events, rates.events, counts.lag.deduplicator),
    row('duplicates', counts.duplicates),
    row('dead letters', counts.deadLetters),
    row('merchant syncs', counts.syncs, rates.syncs, counts.lag.merchantSync),
    row('token states', counts.states, undefined, counts.lag.tokenStates),
    '',
    '  last events',
    ...lastEvents.slice(0, Math.max(0, Math.min(8, size.rows - fixedLines - 2))).map((event) => `  ${eventLine(event)}`),
  ]
  return lines.map((line) => line.slice(0, size.columns - 1))
}

function eventLine({ at, type, source, eventId, tokenRef }: LastEvent): string {
  const [, provider = '', account = ''] = source.split('/')
  const columns = [
    new Date(at).toISOString().slice(11, 19),
    type.padEnd(27),
    provider.padEnd(11),
    mask(decodeURIComponent(account)).padEnd(12),
    `event ${mask(eventId)}`,
    tokenRef ? `token ${mask(tokenRef)}` : '',
  ]
  return columns.join(' ').trimEnd()
}

/** Enough to tell two apart, too little to look one up. */
export const mask = (id: string) => (id.length > 10 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id)

function formatDuration(seconds: number): string {
  const whole = Math.floor(seconds)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

/**
 * Text that replaces the block drawn before, in one write: up to its first line, each line overwritten and its rest cleared, then what
 * is left below. Nothing is blanked first, so nothing flickers. Pure.
 */
export function redraw(linesBefore: number, lines: string[]): string {
  const up = linesBefore > 0 ? `\x1b[${linesBefore}A` : ''
  return `\x1b[?25l${up}\r${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`
}
export const showCursor = '\x1b[?25h'
