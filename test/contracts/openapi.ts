import packageJson from '../../package.json' with { type: 'json' }
import { pathIdPattern } from '../../services/gateway/accounts-schema.ts'
import { refuseAlipayPlus } from '../../services/gateway/alipayplus.ts'
import { maxLengths } from '../../services/gateway/alipayplus-headers.ts'
import { answerBluePay } from '../../services/gateway/bluepay.ts'
import { maxBodyBytes } from '../../services/gateway/intake.ts'
import type { Answer, Result } from '../../services/gateway/provider-route.ts'
import { alipayplusPath, bluepayPath } from '../../services/operator/keys/demonstration.ts'
import { componentRef, type JsonSchema, schemasUsedIn } from './components.ts'

/** When the gateway answers so. `aborted` is missing: its sender has gone. A result that `provider-route.ts` adds must be added here. */
const meanings: Record<Exclude<Result, 'aborted'>, string> = {
  accepted: 'Kept: all in-sync replicas have it. A repeat gets the same answer.',
  unverified: 'Unknown client, account or key, a signature that does not verify, or headers that cannot be read: all alike.',
  malformed: 'No signed text can be found in the body.',
  stale: 'It verifies, but was signed too long ago (FRESHNESS_HOURS) or in the future.',
  'too-large': `The body has more than ${maxBodyBytes} bytes.`,
  'media-type': 'Not application/json in UTF-8, or compressed.',
  method: 'Not POST.',
  'unknown-path': 'Another path, another spelling of it, or a query string.',
  busy: 'Too much in hand; not stored. Send again.',
  'rate-limited': 'This client sends faster than it may (RATE_LIMIT_PER_CLIENT); not stored. Send again.',
  unavailable: 'Kafka did not acknowledge in time; it may or may not be stored. Send again.',
  address: 'The address of the sender is not in ALLOWED_ADDRESSES.',
  failed: 'A mistake of ours; not stored for certain. Send again.',
}
export type DocumentedResult = keyof typeof meanings

/** What a provider can be answered: a body of Alipay+ needs no reading to be verified, and BluePay's requests say no time. */
export const resultsOf = {
  alipayplus: without('malformed'),
  bluepay: without('stale'),
}

/** What is no HTTP/1.1 request of one notification: answered without a body, and the connection is closed. */
export const refusedByHttp: Record<number, string> = {
  400: 'Not HTTP, or a second request before the answer to the first.',
  408: 'Headers or body took too long (HEADERS_TIMEOUT_MS, REQUEST_TIMEOUT_MS).',
  413: 'Chunk extensions without end.',
  426: 'Not HTTP/1.1.',
  431: 'Headers of more than 16 KiB, or more than 64 of them.',
}

type AlipayPlusBody = { result: { resultCode: string } }
const codes = resultsOf.alipayplus.map((result) => (bodyOf(refuseAlipayPlus(result)) as AlipayPlusBody).result.resultCode)

const alipayplusAnswer = {
  type: 'object',
  required: ['result'],
  properties: {
    result: {
      type: 'object',
      required: ['resultCode', 'resultStatus', 'resultMessage'],
      properties: {
        resultCode: { description: 'What happened.', enum: [...new Set(codes)] },
        resultStatus: { description: 'S: kept, do not send again. U: send again. F: refused.', enum: ['S', 'U', 'F'] },
        resultMessage: { description: 'For people.', type: 'string' },
      },
    },
  },
}

const bluepayAnswer = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { description: '10000: kept. Anything else: not kept for certain; it repeats the HTTP status.', type: 'integer' },
    message: { description: 'For people; `Success` with 10000.', type: 'string' },
  },
}

/** OpenAPI 3.1 of the gateway: its answers are the ones in its code, and a test compares them with those of a running one. */
export function openApiDocument() {
  const paths: Record<string, { post: Operation }> = {
    [alipayplusPath]: { post: alipayplusOperation() },
    [`${bluepayPath}/{pathId}`]: { post: bluepayOperation() },
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Token notification pipeline: gateway',
      version: '1.0.0',
      description: [
        'Where Alipay+ and BluePay / PayCools send authorization notifications.',
        'Both paths are configured in ACCOUNTS_FILE; shown here are those of the demonstration. Alipay+ signs the path, so it must arrive as it was called.',
        'What verifies is kept and acknowledged, even if nobody can read it: the body schemas say what is understood, not what is accepted.',
      ].join('\n\n'),
      license: { name: packageJson.license },
    },
    servers: [
      {
        url: 'https://{host}',
        description: 'TLS ends before the gateway, which speaks HTTP/1.1.',
        variables: { host: { default: 'localhost', description: 'Host that the providers call.' } },
      },
    ],
    paths,
    components: {
      securitySchemes: {
        alipayplusSignature: {
          type: 'apiKey',
          in: 'header',
          name: 'Signature',
          description:
            'algorithm=RSA256, keyVersion=<version>, signature=<value>. The value is RSA PKCS#1 v1.5 with SHA-256, in base64 (also URL-safe or percent-encoded), over `POST <path>`, a line feed, and `<Client-Id>.<Request-Time>.<body>`.',
        },
      },
      schemas: { ...schemasUsedIn(paths), AlipayPlusAnswer: alipayplusAnswer, BluePayAnswer: bluepayAnswer },
    },
  }
}

type Response = {
  description: string
  headers?: object
  /** When it has none. */
  'x-without-body'?: string
  content?: { 'application/json': { schema: JsonSchema; examples: Record<string, { summary: string; value: unknown }> } }
}
export type Operation = {
  operationId: string
  summary: string
  description: string
  security: object[]
  parameters: { name: string; in: string; required: true; description: string; schema: JsonSchema; example?: string }[]
  requestBody: { required: true; description: string; content: { 'application/json': { schema: JsonSchema } } }
  responses: Record<string, Response>
}

function alipayplusOperation(): Operation {
  const text = (name: keyof typeof maxLengths) => ({
    type: 'string',
    minLength: 1,
    maxLength: maxLengths[name],
    pattern: '^[ -~]+$',
  })
  const signed = 'Only on answers to what verified.'
  return {
    operationId: 'authNotify',
    summary: 'Alipay+: an authorization code or an access token was created, or a token was canceled',
    description:
      'Alipay+ repeats it until it gets resultStatus S, for 24 h 22 min. HTTP is 200 for every notification, whatever the result says; other statuses are for what is none.',
    security: [{ alipayplusSignature: [] }],
    parameters: [
      {
        name: 'Client-Id',
        in: 'header',
        required: true,
        description: 'Who signs. Exactly once.',
        schema: text('client-id'),
        example: 'SANDBOX_5YC47N2ZQHJ004124',
      },
      {
        name: 'Request-Time',
        in: 'header',
        required: true,
        description: 'When it was sent: ISO 8601 with zone. It is signed, so its characters count. Exactly once.',
        schema: text('request-time'),
        example: '2026-11-22T12:59:59+08:00',
      },
    ],
    requestBody: requestBody(componentRef('AlipayPlusNotification')),
    responses: responsesOf(resultsOf.alipayplus, refuseAlipayPlus, componentRef('AlipayPlusAnswer'), {
      'Client-Id': { description: `That of the request. ${signed}`, schema: text('client-id') },
      'Response-Time': { description: `ISO 8601 UTC with seconds. ${signed}`, schema: { type: 'string', format: 'date-time' } },
      Signature: { description: `As in the request, over Response-Time and this body. ${signed}`, schema: text('signature') },
    }),
  }
}

function bluepayOperation(): Operation {
  const sign = { description: 'RSA PKCS#1 v1.5 with SHA-256, in standard base64.', type: 'string' }
  return {
    operationId: 'bluepayNotification',
    summary: 'BluePay / PayCools: a token was created, was not created, or was canceled',
    description:
      'The signature lies in the body, `sign`. BluePay documents no retry, so the gateway waits for Kafka as long as the sender waits (BLUEPAY_DEADLINE_MS).',
    security: [],
    parameters: [
      {
        name: 'pathId',
        in: 'path',
        required: true,
        description: 'Opaque id of the account: the notification itself names none.',
        schema: { type: 'string', pattern: pathIdPattern },
        example: 'p7Qk2Vw9Zx4Lr8Tn6Yb1Ac',
      },
    ],
    requestBody: requestBody({
      anyOf: [
        {
          title: 'param',
          description: 'Accounts of the style `param`: the characters of that text are what is signed.',
          type: 'object',
          required: ['param', 'sign'],
          properties: {
            param: {
              description: 'The notification as JSON text.',
              type: 'string',
              contentMediaType: 'application/json',
              contentSchema: componentRef('BluePayNotification'),
            },
            sign,
          },
        },
        {
          title: 'flat',
          description:
            'Accounts of the style `flat`: signed is `name=value` of all fields but `sign`, without null and empty ones, by name, joined by `&`.',
          type: 'object',
          required: ['sign'],
          properties: { sign },
          allOf: [componentRef('BluePayNotification')],
        },
      ],
    }),
    responses: responsesOf(resultsOf.bluepay, answerBluePay, componentRef('BluePayAnswer')),
  }
}

const requestBody = (schema: JsonSchema): Operation['requestBody'] => ({
  required: true,
  description: `At most ${maxBodyBytes} bytes of JSON in UTF-8. Signed byte for byte.`,
  content: { 'application/json': { schema } },
})

function bodyOf({ body }: Answer): unknown {
  return JSON.parse(body)
}

function responsesOf(
  results: DocumentedResult[],
  answer: (result: Result) => Answer,
  schema: JsonSchema,
  signedHeaders?: object,
) {
  const statuses = new Set([...results.map((result) => answer(result).status), ...Object.keys(refusedByHttp).map(Number)])
  return Object.fromEntries([...statuses].sort().map((status) => [status, response(status)]))

  function response(status: number): Response {
    const here = results.filter((result) => answer(result).status === status)
    const http = refusedByHttp[status]
    const examples = here.map((result) => [result, { summary: meanings[result], value: bodyOf(answer(result)) }])
    const headers = status === 200 ? signedHeaders : status === 405 ? allow : undefined
    return {
      description: [...here.map((result) => meanings[result]), ...(http ? [`${http} Without a body.`] : [])].join('\n\n'),
      ...(http && { 'x-without-body': http }),
      ...(headers && { headers }),
      ...(here.length > 0 && { content: { 'application/json': { schema, examples: Object.fromEntries(examples) } } }),
    }
  }
}

const allow = { Allow: { description: 'What is possible.', schema: { const: 'POST' } } }

function without(unreachable: DocumentedResult): DocumentedResult[] {
  return (Object.keys(meanings) as DocumentedResult[]).filter((result) => result !== unreachable)
}
