/** Reads what tap wrote about a run (its raw TAP output): the totals, and one result per test file. Pure. */
export type TapTotals = { passed: number; failed: number; skipped: number }
export type TapFileResult = { file: string; ok: boolean; empty: boolean; ms: number }

/** Tap's last words: `# { total: 9, pass: 3, fail: 3, todo: 1, skip: 2 }`. Undefined: it never came to an end. */
export function tapTotals(text: string): TapTotals | undefined {
  const counts = /^# \{ (total: \d+.*) \}$/m.exec(text)?.[1]
  if (!counts) return undefined
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(counts)?.[1] ?? 0)
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
}

/** The lines at the left margin: a file each, in the order in which they were listed. */
export function tapFileResults(text: string): TapFileResult[] {
  return [...text.matchAll(/^(not ok|ok) \d+ - (\S+\.test\.ts)(.*)$/gm)].map(([, verdict, file, rest]) => ({
    file: file as string,
    ok: verdict === 'ok',
    empty: /# SKIP no tests found/.test(rest as string),
    ms: Number(/# time=([\d.]+)ms/.exec(rest as string)?.[1] ?? 0),
  }))
}

/** What a file that failed says of it: what ended it (`report-uncaught.ts`), and each assertion with its diagnosis, without the lines that only sum others up. */
export function tapFailures(text: string, file: string): string {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => line.startsWith('not ok') && line.includes(` - ${file}`))
  const begin = lines.lastIndexOf(`# Subtest: ${file}`, end)
  const own = lines.slice(begin + 1, Math.max(begin + 1, end))
  const uncaught = own.filter((line) => /^ *# uncaught: /.test(line))
  const failed = own
    .join('\n')
    .split(/^(?= *(?:# Subtest|(?:not )?ok \d))/m)
    .filter((block) => /^ *not ok(?!.*# time=)/.test(block))
  return [...uncaught, failed.join('').trimEnd()].join('\n').trim()
}

/** The plain closing line of a run. */
export function totalsLine({ passed, failed, skipped }: TapTotals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
