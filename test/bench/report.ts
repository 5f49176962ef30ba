/** A run's report: lines for the terminal, Markdown, and a self-contained page with plots. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Figure, type Goal, isReached, type Measured, median, ratios } from './bench.ts'

export type RunReport = {
  machine: string
  commit: string
  startedAt: string
  seconds: number
  repeat: number
  records: number
  benches: ({ name: string; about: string } & Measured)[]
}

const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 })
const rounded = (value: number) => number.format(value)
/** Least / median / most. */
const spread = (values: number[]) =>
  values.length === 0 ? '' : [Math.min(...values), median(values), Math.max(...values)].map(rounded).join(' / ')

const goalText = ({ of, is, limit }: Goal) => `${of === 'ratio' ? 'ratio ' : ''}${is === 'least' ? '≥' : '≤'} ${rounded(limit)}`
const goalsText = (figure: Figure) =>
  figure.goals.map((goal) => `${goalText(goal)}${isReached(figure, goal) ? '' : ' **missed**'}`).join(', ')

/** For the terminal, one line each. Pure. */
export function figureLines(figures: Figure[]): string[] {
  const width = Math.max(...figures.map(({ name }) => name.length))
  return figures.map((figure) => {
    const { name, unit, values, ceiling, note } = figure
    const beside = ceiling ? `, ${rounded(median(ratios(figure)))} of ${rounded(median(ceiling.values))}` : ''
    const goals = figure.goals.length > 0 ? `  [${goalsText(figure).replaceAll('**', '')}]` : ''
    return `  ${name.padEnd(width)}  ${spread(values)} ${unit}${beside}${goals}${note ? `  ${note}` : ''}`
  })
}

/** RESULTS.md. Pure. */
export function results(report: RunReport): string {
  const { machine, commit, startedAt, seconds, repeat, records, benches } = report
  const goals = benches.flatMap(({ figures }) => figures.flatMap((figure) => figure.goals.map((goal) => isReached(figure, goal))))
  return `${[
    '# How fast, and how dear',
    '',
    `Made by \`npm run bench\` on ${machine}, Apache Kafka 4.1.2 (one node) and Redis 7 beside it, ${startedAt.slice(0, 10)}, commit ${commit}. Everything`,
    `ran on these cores: load generator, broker, Redis and what was measured. Rates over ${seconds} s, drains of ${rounded(records)} records, ${repeat} repeats:`,
    'least / median / most. Ratios are of a figure and its ceiling in the same repeat. Goals are held against the median.',
    '',
    `${goals.filter(Boolean).length} of ${goals.length} goals reached.`,
    ...benches.flatMap(section),
  ].join('\n')}\n`
}

function section({ name, about, figures }: RunReport['benches'][number]): string[] {
  return [
    '',
    `## ${name}`,
    '',
    `${about[0]?.toUpperCase()}${about.slice(1)}.`,
    '',
    '| figure | what | value | ceiling | ratio | CPU µs each | goal |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...figures.map(row),
    ...figures.flatMap(({ name: figure, note }) => (note ? ['', `\`${figure}\`: ${note}`] : [])),
  ]
}

function row(figure: Figure): string {
  const { name, what, unit, values, ceiling, cpuUs } = figure
  const cells = [
    `\`${name}\``,
    what,
    `${spread(values)} ${unit}`,
    ceiling ? `${spread(ceiling.values)}: ${ceiling.what}` : '',
    spread(ratios(figure)),
    spread(cpuUs ?? []),
    goalsText(figure),
  ]
  return `| ${cells.join(' | ')} |`
}

/** The same with plots, in one file that needs nothing else. */
export function page(report: RunReport, title = 'How fast, and how dear'): string {
  const require = createRequire(import.meta.url)
  const asset = (name: string) => readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8')
  const plots = report.benches.flatMap(({ name, plots = [] }) =>
    plots.map((plot) => ({ ...plot, title: `${name}: ${plot.title}` })),
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${asset('uPlot.min.css')}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}
td.figure{font-family:ui-monospace,monospace;font-size:13px}.missed{color:#b00020}.reached{color:#0a6b2d}</style></head><body>
<h1>${title}</h1>
<p>${escapeHtml(report.machine)}; ${escapeHtml(report.startedAt)}; commit ${escapeHtml(report.commit)}; least / median / most of ${report.repeat}.</p>
${report.benches.map(htmlSection).join('\n')}
<div id="plots"></div>
<script>${asset('uPlot.iife.min.js')}</script>
<script>
const colours = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b', '#7f7f7f']
for (const { title, x, unit, series } of ${JSON.stringify(plots).replaceAll('<', '\\u003c')}) {
  new uPlot({ title, width: 1100, height: 300, scales: { x: { time: false } },
    axes: [{ label: x.label }, { label: unit }],
    series: [{ label: x.label }, ...series.map(({ name }, index) => ({ label: name, stroke: colours[index % colours.length], points: { show: x.values.length < 50 } }))],
  }, [x.values, ...series.map(({ y }) => y)], document.getElementById('plots'))
}
</script></body></html>
`
}

function htmlSection({ name, about, figures }: RunReport['benches'][number]): string {
  const rows = figures.map((figure) => {
    const { name, what, unit, values, ceiling, note } = figure
    const goals = figure.goals.map(
      (goal) => `<span class="${isReached(figure, goal) ? 'reached' : 'missed'}">${escapeHtml(goalText(goal))}</span>`,
    )
    const beside = ceiling ? `${spread(ceiling.values)}: ${escapeHtml(ceiling.what)}` : ''
    return `<tr><td class="figure">${escapeHtml(name)}</td><td>${escapeHtml(what)}${note ? `<br><small>${escapeHtml(note)}</small>` : ''}</td><td>${spread(values)} ${escapeHtml(unit)}</td><td>${beside}</td><td>${spread(ratios(figure))}</td><td>${goals.join(', ')}</td></tr>`
  })
  return `<h2>${escapeHtml(name)}</h2><p>${escapeHtml(about)}</p><table><tr><th>figure</th><th>what</th><th>value</th><th>ceiling</th><th>ratio</th><th>goal</th></tr>${rows.join('')}</table>`
}

const escapeHtml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
