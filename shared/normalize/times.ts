import { Temporal } from 'temporal-polyfill'

/** An instant of a token event: ISO 8601 UTC with milliseconds; finer digits are cut. Undefined outside the years 0 to 9999. */
function format(instant: Temporal.Instant): string | undefined {
  const text = instant.toString({ fractionalSecondDigits: 3 })
  return text.length === '2026-01-01T00:00:00.000Z'.length ? text : undefined
}

/** Milliseconds since 1970, as Kafka stamps records. */
export const fromEpochMs = (ms: number): string => new Date(ms).toISOString()

/**
 * A provider's time that says its zone: ISO 8601 with offset or Z and up to nine digits of fraction, or 13 digits of epoch
 * milliseconds. Undefined for anything else: a time that cannot be read never costs the event.
 */
export function instantOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const plain = plainTime.exec(text)
  if (plain) return fromPlain(plain)
  try {
    return format(/^\d{13}$/.test(text) ? Temporal.Instant.fromEpochMilliseconds(Number(text)) : Temporal.Instant.from(text))
  } catch {
    return undefined
  }
}

/** What nearly all notifications have. The rest (29th to 31st, leap seconds, years before 1970, the other spellings) is left to Temporal. */
const plainTime =
  /^((?:19[7-9]|2\d\d)\d)-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/

function fromPlain([
  ,
  year,
  month,
  day,
  hour,
  minute,
  second,
  fraction = '',
  sign,
  zoneHour,
  zoneMinute,
]: RegExpExecArray): string {
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), ms)
  const zoneMs = sign === undefined ? 0 : (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000
  return fromEpochMs(sign === '-' ? local + zoneMs : local - zoneMs)
}

const withoutZone = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,9})?)$/

/** The same, with `yyyy-MM-dd HH:mm:ss` read in `zone` (`+08:00`); `zoneUsed` says that it was. */
export function instantInZone(text: string | undefined, zone: string): { at: string | undefined; zoneUsed: boolean } {
  const local = text === undefined ? null : withoutZone.exec(text)
  if (local === null) return { at: instantOf(text), zoneUsed: false }
  const at = instantOf(`${local[1]}T${local[2]}${zone}`)
  return { at, zoneUsed: at !== undefined }
}
