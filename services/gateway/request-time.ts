const iso = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)$/i

/**
 * When a request says it was sent (ms since 1970). Lenient, because the pages disagree: offset or `Z`, 0 to 9 fraction digits, or
 * 13 digits of epoch milliseconds (`providers.md` §2.2). Only for judging age: the signed text has the characters as received.
 */
export function parseRequestTime(text: string): number | undefined {
  if (/^\d{13}$/.test(text)) return Number(text)
  const match = iso.exec(text)
  if (!match) return undefined
  const [, date, time, fraction = '', zone = ''] = match
  const offset = /^z$/i.test(zone) ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`
  const at = Date.parse(`${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`)
  return Number.isNaN(at) ? undefined : at
}
