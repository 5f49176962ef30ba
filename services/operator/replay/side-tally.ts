/** What a replay found, as counts, as examples, and as text. Nothing here knows a value that `compare` does not show. */
import { table } from '../answer.ts'
import { compare, type FieldDifference, type Finding, inWords } from './side-compare.ts'
import type { NoEnding, Replayed } from './side-partition.ts'

export type Difference = { finding: Finding; origin: string; public: string; replay: string; fields: FieldDifference[] }

export type Findings = {
  /** Notifications that were compared, by what was found. */
  counts: Record<Finding, number>
  /** What today's code makes of all that was replayed. */
  today: { events: number; duplicates: number; deadLetters: number }
  /** Not compared: there is no public outcome, yet or any more. `none` counts as new, gone or changed. */
  notCompared: Record<Exclude<NoEnding, 'none'>, number>
  /** In how many changed events each member differs. */
  fields: Record<string, number>
  /** At most as many as asked for. */
  differences: Difference[]
  /** Notifications whose window had left retention in part, and by `topic/partition` the offset from which on verdicts are certain. */
  uncertain: number
  certainFrom: Record<string, number>
}

export type Tally = { add: (replayed: Replayed) => void; findings: Findings }

export function createTally(maxDifferences: number): Tally {
  const findings: Findings = {
    counts: { same: 0, changed: 0, new: 0, gone: 0 },
    today: { events: 0, duplicates: 0, deadLetters: 0 },
    notCompared: { 'in-flight': 0, 'left-retention': 0 },
    fields: {},
    differences: [],
    uncertain: 0,
    certainFrom: {},
  }
  const { counts, fields, differences, notCompared } = findings

  function addCertainty({ certain, range, next }: Replayed): void {
    if (certain) return
    findings.uncertain++
    findings.certainFrom[`${range.topic}/${range.partition}`] = next
  }

  return {
    findings,
    add(replayed) {
      const { today, live, origin } = replayed
      findings.today[countedAs[today.kind]]++
      addCertainty(replayed)
      if (live === 'in-flight' || live === 'left-retention') {
        notCompared[live]++
        return
      }
      const { finding, fields: differing } = live === 'none' ? withoutLive(today.kind) : compare(today, live)
      counts[finding]++
      if (finding === 'same') return
      for (const { field } of differing) fields[field] = (fields[field] ?? 0) + 1
      if (differences.length >= maxDifferences) return
      const [then, now] = [live === 'none' ? 'nothing' : inWords(live), inWords(today)]
      differences.push({ finding, origin, public: then, replay: now, fields: differing })
    },
  }
}

const countedAs = { event: 'events', duplicate: 'duplicates', 'dead-letter': 'deadLetters' } as const

/** The stages have committed it and left no outcome: the account (`operator account`) calls it missing. */
const withoutLive = (kind: Replayed['today']['kind']): { finding: Finding; fields: FieldDifference[] } => ({
  finding: kind === 'event' ? 'new' : 'changed',
  fields: [],
})

/** A text shows so many; the document has as many as asked for. */
const shownDifferences = 10

/** Lines for people. Pure. */
export function findingLines({ counts, today, notCompared, fields, differences, uncertain, certainFrom }: Findings): string[] {
  const shown = differences.slice(0, shownDifferences)
  const more = counts.changed + counts.new + counts.gone - shown.length
  const byField = Object.entries(fields).sort(([, a], [, b]) => b - a)
  const said: [number, string][] = [
    [notCompared['in-flight'], `${notCompared['in-flight']} are in flight: the stages have not got there, so they are left out.`],
    [
      notCompared['left-retention'],
      `${notCompared['left-retention']} have no public outcome any more: it left retention, so they are not compared.`,
    ],
    [
      uncertain,
      `${uncertain} verdicts are not certain, because copies within their window may have left retention. Certain from: ${Object.entries(
        certainFrom,
      )
        .map(([where, offset]) => `${where}/${offset}`)
        .join(', ')}`,
    ],
  ]
  return [
    `Today's code makes ${today.events} events, ${today.duplicates} duplicates and ${today.deadLetters} dead letters of it.`,
    `Against the public topic: ${counts.same} same, ${counts.changed} changed, ${counts.new} new, ${counts.gone} gone.`,
    ...said.filter(([count]) => count > 0).map(([, text]) => text),
    ...(byField.length > 0
      ? [
          '',
          table(
            ['differs', 'in'],
            byField.map(([field, count]) => [field, String(count)]),
          ),
        ]
      : []),
    ...(shown.length > 0 ? [''] : []),
    ...shown.flatMap(differenceLines),
    ...(more > 0 && shown.length > 0 ? [`${more} more; --json has their positions, as many as asked for.`] : []),
  ]
}

function differenceLines({ finding, origin, public: then, replay, fields }: Difference): string[] {
  const head = `${finding}: ${origin}: ${then === replay ? then : `${then} → ${replay}`}`
  return [head, ...fields.filter(({ field }) => field !== '(outcome)').map((field) => `  ${fieldLine(field)}`)]
}

function fieldLine({ field, ...values }: FieldDifference): string {
  if (!('public' in values || 'replay' in values)) return `${field} differs`
  return `${field}: ${inJson(values.public)} → ${inJson(values.replay)}`
}

const inJson = (value: unknown) => (value === undefined ? '(none)' : JSON.stringify(value))
