import fc from 'fast-check'
import t from 'tap'
import { createFrameSplitter, type EndTxn, endTxnErrorCode, readEndTxn, readRequest } from './kafka-frames.ts'
import { answerFrame, endTxnFrame, frameOf, requestFrame } from './written-frames.ts'

t.test('frames come out whole, however the stream is cut', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1 }),
      (bodies, cuts) => {
        const frames = bodies.map((body) => frameOf(Buffer.from(body)))
        const stream = Buffer.concat(frames)
        const split = createFrameSplitter()
        const found: Buffer[] = []
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const length = cuts[turn % cuts.length] as number
          found.push(...split(stream.subarray(at, at + length)))
          at += length
        }
        return Buffer.concat(found).equals(stream) && found.length === frames.length
      },
    ),
  )
})

t.test('a frame comes out with its last byte and not before, and several at once come out one by one', async (t) => {
  const [first, second] = [frameOf(Buffer.from('first')), frameOf(Buffer.from('second'))]
  const split = createFrameSplitter()
  t.same(split(first.subarray(0, 2)), [])
  t.same(split(first.subarray(2, 8)), [])
  t.same(split(Buffer.concat([first.subarray(8), second, first.subarray(0, 3)])), [first, second])
  t.same(split(first.subarray(3)), [first])
})

t.test('a request says what it is and whose', async (t) => {
  const { body, ...header } = readRequest(
    requestFrame({ apiKey: 3, apiVersion: 6, correlationId: 77, clientId: 'normalizer' }, Buffer.from('x')),
  )
  t.same(header, { apiKey: 3, apiVersion: 6, correlationId: 77, clientId: 'normalizer' })
  t.equal(body.toString(), 'x')
  const anonymous = Buffer.from([0, 0, 0, 10, 0, 3, 0, 6, 0, 0, 0, 1, 0xff, 0xff])
  t.equal(readRequest(anonymous).clientId, '', 'a null client id is empty')
})

const endTxn: EndTxn = { transactionalId: 'normalizer.0', producerId: 2n ** 40n, producerEpoch: 7, committed: true }
for (const apiVersion of [1, 3]) {
  t.test(`an EndTxn of version ${apiVersion} and its answer`, async (t) => {
    for (const committed of [true, false]) {
      const frame = endTxnFrame({ ...endTxn, committed }, { apiVersion })
      t.same(readEndTxn(readRequest(frame)), { ...endTxn, committed })
    }
    t.equal(endTxnErrorCode(apiVersion, answerFrame(5, 47, { apiVersion })), 47)
  })
}
