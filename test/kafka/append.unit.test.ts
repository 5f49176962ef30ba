import t from 'tap'
import { inSends } from '../../shared/kafka/append.ts'

const recordsOf = (topic: string, count: number, bytes = 10) =>
  Array.from({ length: count }, (_, index) => ({ topic, key: String(index), value: 'x'.repeat(bytes) }))
const shape = (records: Parameters<typeof inSends>[0]) => inSends(records).map(({ topic, messages }) => [topic, messages.length])

t.test('records go in order, as many in a send as a broker takes and kafkajs likes', async (t) => {
  t.strictSame(shape([]), [])
  t.strictSame(
    shape(recordsOf('a', 2_500)),
    [
      ['a', 1_000],
      ['a', 1_000],
      ['a', 500],
    ],
    'by count',
  )
  t.strictSame(
    shape(recordsOf('a', 5, 400_000)),
    [
      ['a', 2],
      ['a', 2],
      ['a', 1],
    ],
    'by bytes',
  )
  t.strictSame(
    shape(recordsOf('a', 2, 2_000_000)),
    [
      ['a', 1],
      ['a', 1],
    ],
    'what is too large alone goes alone, and the broker says so',
  )
  t.strictSame(
    shape([...recordsOf('a', 1), ...recordsOf('b', 2), ...recordsOf('a', 1)]),
    [
      ['a', 1],
      ['b', 2],
      ['a', 1],
    ],
    'by topic',
  )
  const keys = inSends(recordsOf('a', 2_500)).flatMap(({ messages }) => messages.map(({ key }) => key))
  t.strictSame(
    keys,
    recordsOf('a', 2_500).map(({ key }) => key),
  )
  t.ok(
    inSends([{ topic: 'a', key: 'k', value: null }])[0]?.messages.every(
      ({ partition, value }) => partition === 0 && value === null,
    ),
  )
})
