import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createCanaries } from './canaries.ts'
import { createScan, disguises } from './disguises.ts'

t.test('a secret is found in every disguise, by its beginning alone and by its end alone', async (t) => {
  const canaries = createCanaries()
  const secret = canaries.make('secret')
  for (const mark of canaries.marks) {
    const scan = createScan([mark])
    for (const { name, write } of disguises) {
      const bytes = Buffer.concat([randomBytes(1000), write(secret), randomBytes(1000)])
      t.ok(scan(bytes).length > 0, `${name}, by ${canaries.marks.indexOf(mark) === 0 ? 'its beginning' : 'its end'}`)
    }
  }
})

t.test('in base64 it is found wherever it stands', async (t) => {
  const canaries = createCanaries()
  const secret = canaries.make('secret')
  const scan = createScan(canaries.marks)
  for (let before = 0; before < 12; before++) {
    const text = Buffer.concat([Buffer.alloc(before, '?'), Buffer.from(secret), randomBytes(7)])
    for (const encoding of ['base64', 'base64url'] as const) {
      t.ok(scan(Buffer.from(text.toString(encoding))).length > 0, `${encoding}, ${before} bytes before`)
    }
  }
})

t.test('another run’s secrets, and noise, are not found', async (t) => {
  const scan = createScan(createCanaries().marks)
  const other = createCanaries().make('other')
  t.strictSame(
    disguises.flatMap(({ write }) => scan(write(other))),
    [],
  )
  t.strictSame(scan(randomBytes(1_000_000)), [])
})

t.test('keys are found by their bytes as by their text', async (t) => {
  const key = randomBytes(32)
  const scan = createScan([key])
  t.strictSame(scan(key)[0]?.offset, 0)
  t.ok(scan(Buffer.from(JSON.stringify({ k: key.toString('base64url') }))).length > 0)
  t.ok(scan(Buffer.from(JSON.stringify(key))).length > 0, 'a Buffer that went through JSON.stringify')
})
