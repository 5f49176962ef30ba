/** What a soak found, in Markdown and as a page with plots. Pure. */
import { page } from './report.ts'
import { plotsOf, type Sample, seriesOf } from './soak-samples.ts'
import { isLongEnough, judge, type Verdict } from './soak-verdict.ts'

export type Soak = {
  machine: string
  commit: string
  startedAt: string
  rate: number
  duplicates: number
  /** Asked for, and how long the load lasted. */
  minutes: number
  lastedMs: number
  samples: Sample[]
  accounts: { holds: boolean; lines: string[] }
}

export type Judged = { verdicts: Verdict[]; judged: boolean; flat: boolean; holds: boolean }

export function judgeSoak({ samples, lastedMs, accounts }: Soak): Judged {
  const verdicts = seriesOf(samples).map(judge)
  const judged = isLongEnough(lastedMs)
  const flat = !judged || verdicts.every((verdict) => verdict.flat)
  return { verdicts, judged, flat, holds: accounts.holds && flat }
}

const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 })
const rounded = (value: number) => (Number.isNaN(value) ? '–' : number.format(value))
const minutesOf = (ms: number) => rounded(ms / 60_000)

/** One sentence for whether it stayed flat. */
export function flatness({ verdicts, judged, flat }: Judged): string {
  if (!judged) return 'Too short to say whether anything grows: each third must last a minute.'
  const grown = verdicts.filter((verdict) => !verdict.flat).map(({ name }) => name)
  return flat ? 'Everything stayed flat.' : `Not flat: ${grown.join(', ')}.`
}

export function soakMarkdown(soak: Soak): string {
  const { machine, commit, startedAt, rate, duplicates, minutes, lastedMs, samples, accounts } = soak
  const found = judgeSoak(soak)
  const row = ({ name, unit, first, middle, last, allowed, flat }: Verdict) =>
    `| \`${name}\` | ${rounded(first)} | ${rounded(middle)} | ${rounded(last)} | ${rounded(allowed)} | ${unit} | ${found.judged ? (flat ? 'flat' : '**grows**') : ''} |`
  return `${[
    '# Flat over time',
    '',
    `Made by \`npm run soak\` on ${machine}, ${startedAt.slice(0, 10)}, commit ${commit}: the whole pipeline with Kafka and Redis on these cores,`,
    `${rated(rate, duplicates)} for ${minutesOf(lastedMs)} of ${minutes} minutes, ${samples.length} samples. Medians of each third; the last may exceed the middle one by`,
    'as much as `allowed` says (the rule: `soak-verdict.ts`).',
    '',
    '| what | first third | middle | last | allowed | unit | |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...found.verdicts.map(row),
    '',
    flatness(found),
    '',
    '```',
    ...accounts.lines.filter(Boolean),
    '```',
  ].join('\n')}\n`
}

const rated = (rate: number, duplicates: number) =>
  `${rate} signed notifications a second over HTTP, ${Math.round(duplicates * 100)} % of them copies,`

export function soakPage(soak: Soak): string {
  const { machine, commit, startedAt, samples, rate, duplicates, lastedMs } = soak
  const found = judgeSoak(soak)
  const notes = new Map(
    found.verdicts.map(({ name, middle, last, allowed, flat }) => [
      name,
      `${found.judged ? `${flat ? 'flat' : 'grows'}: ` : ''}middle third ${rounded(middle)}, last ${rounded(last)}, allowed ${rounded(allowed)}`,
    ]),
  )
  const figures = seriesOf(samples).map(({ name, kind, unit, values }) => {
    const seen = values.filter((value) => value !== null)
    return { name, what: kind, unit, values: seen, goals: [], note: notes.get(name) ?? '' }
  })
  const about = `${rated(rate, duplicates)} for ${minutesOf(lastedMs)} minutes. ${flatness(found)} ${soak.accounts.lines.filter(Boolean).join('. ')}`
  return page(
    {
      ...{ machine, commit, startedAt, seconds: lastedMs / 1_000, repeat: samples.length, records: samples.at(-1)?.sent ?? 0 },
      benches: [{ name: 'soak', about, figures, plots: plotsOf(samples) }],
    },
    'Flat over time',
  )
}
