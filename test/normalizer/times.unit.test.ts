import fc from 'fast-check'
import t from 'tap'
import { Temporal } from 'temporal-polyfill'
import { fromEpochMs, instantInZone, instantOf } from '../../shared/normalize/times.ts'

t.test('a time with its zone is an instant, in every documented spelling', async (t) => {
  for (const [text, instant] of [
    ['2022-06-06T12:12:12+08:00', '2022-06-06T04:12:12.000Z'],
    ['2019-04-04T12:08:56+05:30', '2019-04-04T06:38:56.000Z'],
    ['2025-02-20T08:51:49.09Z', '2025-02-20T08:51:49.090Z'],
    ['2025-02-20T08:51:49.123456789Z', '2025-02-20T08:51:49.123Z'],
    ['2025-02-20T08:51:49.999999999Z', '2025-02-20T08:51:49.999Z'],
    ['2025-02-20T00:00:00-03:00', '2025-02-20T03:00:00.000Z'],
    ['1685599933871', '2023-06-01T06:12:13.871Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
  ] as const)
    t.equal(instantOf(text), instant, text)
})

t.test('anything else is no instant, and no error', async (t) => {
  const texts = [
    '2022-06-06T12:12:12',
    '2022-06-06 12:12:12',
    '2022-02-30T00:00:00Z',
    '2022-06-06',
    '168559993387',
    '16855999338710',
  ]
  for (const text of [undefined, '', 'soon', '0000', 'null', ...texts, '9999-12-31T23:59:59-10:00', '-271821-04-20T00:00:00Z'])
    t.equal(instantOf(text), undefined, String(text))
})

t.test('a time without zone is read in the zone of the account, and says that it was', async (t) => {
  t.same(instantInZone('2034-09-18 18:10:35', '+08:00'), { at: '2034-09-18T10:10:35.000Z', zoneUsed: true })
  t.same(instantInZone('2034-09-18T18:10:35.5', '+07:00'), { at: '2034-09-18T11:10:35.500Z', zoneUsed: true })
  t.same(instantInZone('2034-09-18 00:10:35', '+08:00'), { at: '2034-09-17T16:10:35.000Z', zoneUsed: true })
})

t.test('a time that names its zone is read by that', async (t) => {
  t.same(instantInZone('2034-09-18T18:10:35+07:00', '+08:00'), { at: '2034-09-18T11:10:35.000Z', zoneUsed: false })
  t.same(instantInZone('2034-09-18 18:10:35Z', '+08:00'), { at: '2034-09-18T18:10:35.000Z', zoneUsed: false })
})

t.test('no time, no zone: nothing was assumed', async (t) => {
  for (const text of [undefined, '', 'soon', '2034-09-31 18:10:35', '2034-09-18 24:10:35', '2034-9-18 18:10:35'])
    t.same(instantInZone(text, '+08:00'), { at: undefined, zoneUsed: false }, String(text))
  t.same(instantInZone('2034-09-18 18:10:35', 'Asia/Nowhere'), { at: undefined, zoneUsed: false }, 'a zone that is none')
})

t.test('record timestamps are milliseconds', async (t) => {
  t.equal(fromEpochMs(Date.parse('2026-11-22T05:00:00.123Z')), '2026-11-22T05:00:00.123Z')
  t.equal(fromEpochMs(0), '1970-01-01T00:00:00.000Z')
})

t.test('the quick way reads a time as Temporal does', async (t) => {
  const part = (least: number, most: number) => fc.integer({ min: least, max: most }).map((n) => String(n).padStart(2, '0'))
  const text = fc
    .tuple(
      fc.tuple(fc.integer({ min: 1965, max: 3005 }), part(0, 13), part(0, 32)),
      fc.tuple(part(0, 24), part(0, 60), part(0, 60)),
      fc.option(fc.stringMatching(/^\d{0,10}$/), { nil: undefined }),
      fc.oneof(
        fc.constant('Z'),
        fc.tuple(fc.constantFrom('+', '-'), part(0, 24), part(0, 60)).map(([sign, h, m]) => `${sign}${h}:${m}`),
      ),
    )
    .map(
      ([date, time, fraction, zone]) =>
        `${date.join('-')}T${time.join(':')}${fraction === undefined ? '' : `.${fraction}`}${zone}`,
    )
  const byTemporal = (said: string) => {
    try {
      return Temporal.Instant.from(said).toString({ fractionalSecondDigits: 3 })
    } catch {
      return undefined
    }
  }
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, (said) => {
        if (instantOf(said) !== byTemporal(said)) throw new Error(`${said}: ${instantOf(said)} instead of ${byTemporal(said)}`)
      }),
      { numRuns: 5_000 },
    ),
  )
})
