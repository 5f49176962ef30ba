/** The OpenAPI document and the gateway say the same: every documented answer is provoked, and compared with what is documented. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { maxLengths } from '../../services/gateway/alipayplus-headers.ts'
import { maxBodyBytes } from '../../services/gateway/intake.ts'
import type { Provider } from '../../shared/contracts/topics.ts'
import { PublishError } from '../../shared/kafka/publisher.ts'
import { type DocumentedResult, type Operation, openApiDocument, refusedByHttp, resultsOf } from '../contracts/openapi.ts'
import {
  alipayPlusPath,
  alipayPlusRequest,
  bluePayParam,
  bluePayPath,
  bluePayRequest,
  flatPathId,
  nowText,
  pathId,
  type Reply,
  type Settings,
  send,
  startGateway,
} from './gateway-under-test.ts'
import { headersOf, requestBytes, speak } from './raw-http.ts'
import { keyPair, type SignedRequest, signFlat, signParam } from './signing.ts'

const document = openApiDocument()
const operations: Record<Provider, Operation> = {
  alipayplus: document.paths[alipayPlusPath]!.post,
  bluepay: document.paths[`${bluePayPath}/{pathId}`]!.post,
}
const request: Record<Provider, () => SignedRequest> = { alipayplus: alipayPlusRequest, bluepay: bluePayRequest }
const longAgo = new Date(Date.now() - 80 * 60 * 60 * 1000).toISOString()

/** How a sender comes to each result. Without `request` and `settings`: an ordinary notification. */
type Way = { settings?: Settings; request?: (provider: Provider) => SignedRequest; method?: string; times?: number }
const ways: Record<DocumentedResult, Way> = {
  accepted: {},
  unverified: {
    request: (provider) =>
      provider === 'alipayplus'
        ? alipayPlusRequest({ pair: keyPair('forger') })
        : bluePayRequest(signParam(bluePayParam, keyPair('forger'))),
  },
  malformed: { request: () => bluePayRequest(Buffer.from('{')) },
  stale: { request: () => alipayPlusRequest({ time: longAgo }) },
  'too-large': { request: (provider) => ({ ...request[provider](), body: Buffer.alloc(maxBodyBytes + 1, 0x20) }) },
  'media-type': {
    request: (provider) => ({
      ...request[provider](),
      headers: { ...request[provider]().headers, 'Content-Type': 'text/plain' },
    }),
  },
  method: { method: 'PUT' },
  'unknown-path': { request: (provider) => ({ ...request[provider](), path: `${request[provider]().path}?a=1` }) },
  busy: { settings: { publish: async () => Promise.reject(new PublishError('queue-full')) } },
  'rate-limited': { settings: { ratePerClient: 1 }, times: 2 },
  unavailable: { settings: { publish: async () => Promise.reject(new PublishError('deadline')) } },
  address: { settings: { allowedAddresses: '192.0.2.1' } },
  failed: { settings: { publish: async () => Promise.reject(new RangeError('a mistake of ours')) } },
}

for (const provider of ['alipayplus', 'bluepay'] as const) {
  t.test(`${provider}: each documented answer is the one given, and no other is`, async (t) => {
    const documented = Object.entries(operations[provider].responses).flatMap(([status, { content }]) =>
      Object.entries(content?.['application/json'].examples ?? {}).map(([result, { value }]) => ({ result, status, value })),
    )
    t.strictSame(documented.map(({ result }) => result).sort(), [...resultsOf[provider]].sort())
    for (const { result, status, value } of documented) {
      const { reply, metrics } = await provoke(provider, ways[result as DocumentedResult])
      t.ok(metrics.includes(`,result="${result}"} `), `${result} was provoked`)
      t.strictSame([String(reply.status), JSON.parse(reply.body)], [status, value], result)
      const headers = Object.keys(operations[provider].responses[status]?.headers ?? {})
      const given = ['Client-Id', 'Response-Time', 'Signature', 'Allow'].filter((name) => reply.headers.has(name))
      t.strictSame(
        given.filter((name) => !headers.includes(name)),
        [],
        `${result}: no other headers`,
      )
    }
  })
}

async function provoke(provider: Provider, way: Way): Promise<{ reply: Reply; metrics: string }> {
  const gateway = await startGateway(way.settings)
  try {
    const make = way.request ?? ((name: Provider) => request[name]())
    let reply = await send(gateway, make(provider), way.method)
    for (let more = 1; more < (way.times ?? 1); more++) reply = await send(gateway, make(provider), way.method)
    return { reply, metrics: await gateway.registry.metrics() }
  } finally {
    await gateway.close()
  }
}

t.test('Alipay+ answers are signed when the request verified, with the documented headers', async (t) => {
  const signed: DocumentedResult[] = ['accepted', 'stale', 'rate-limited', 'busy', 'unavailable']
  for (const result of resultsOf.alipayplus) {
    const { reply } = await provoke('alipayplus', ways[result])
    const given = Object.keys(operations.alipayplus.responses['200']!.headers!).filter((name) => reply.headers.has(name))
    t.strictSame(given, signed.includes(result) ? ['Client-Id', 'Response-Time', 'Signature'] : [], result)
  }
})

t.test('what is no HTTP/1.1 request of one notification is answered as documented: a status without a body', async (t) => {
  const gateway = await startGateway({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 200 } })
  t.teardown(gateway.close)
  const signed = alipayPlusRequest()
  const raw = (more: [string, string][], version?: string) =>
    requestBytes({
      target: signed.path,
      headers: [...headersOf(signed), ...more],
      body: signed.body,
      ...(version ? { version } : {}),
    })
  const bytes: Record<number, Buffer | string> = {
    400: 'nonsense\r\n\r\n',
    408: `POST ${signed.path} HTTP/1.1\r\nHost: g\r\n`,
    413: `POST ${signed.path} HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}`,
    426: raw([], 'HTTP/1.0'),
    431: raw([['X', 'y'.repeat(17_000)]]),
  }
  t.strictSame(Object.keys(bytes), Object.keys(refusedByHttp))
  for (const [status, sent] of Object.entries(bytes)) {
    const { replies, closed } = await speak(gateway.port, (socket) => socket.write(sent))
    t.match(replies, [{ status: Number(status), body: '' }], status)
    t.ok(closed, 'and the connection is closed')
    for (const { responses } of Object.values(operations))
      t.equal(responses[status]?.['x-without-body'], refusedByHttp[Number(status)])
  }
})

t.test('the documented limits of requests are those of the gateway', async (t) => {
  const gateway = await startGateway()
  t.teardown(gateway.close)
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } })
  const header = (name: string) => operations.alipayplus.parameters.find((parameter) => parameter.name === name)!.schema
  t.equal(header('Request-Time').maxLength, maxLengths['request-time'])
  const accepts = async (time: string) => /SUCCESS/.test((await send(gateway, alipayPlusRequest({ time }))).body)
  for (const time of [nowText(), 'x'.repeat(64), 'x'.repeat(65), 'Sunday, 22 November'])
    t.equal(await accepts(time), ajv.validate(header('Request-Time'), time), `${time.length} characters`)

  const { schemas } = document.components
  const valid = ajv.compile({ ...operations.bluepay.requestBody.content['application/json'].schema, components: { schemas } })
  const flat = signFlat(
    '{"eventName":"token.create.success","userId":"u","channelCode":"C","paytoken":"T"}',
    'channelCode=C&eventName=token.create.success&paytoken=T&userId=u',
    keyPair('bluepay'),
  )
  for (const { body, path } of [bluePayRequest(), bluePayRequest(flat, flatPathId)]) {
    t.ok(valid(JSON.parse(String(body))), JSON.stringify(valid.errors))
    t.ok(ajv.validate(operations.bluepay.parameters[0]!.schema, path.slice(bluePayPath.length + 1)))
    t.equal((await send(gateway, { ...bluePayRequest(body), path })).status, 200)
  }
  t.notOk(valid({ param: bluePayParam }), 'without a signature')
  t.equal((await send(gateway, bluePayRequest(Buffer.from(JSON.stringify({ param: bluePayParam })), pathId))).status, 400)
})
