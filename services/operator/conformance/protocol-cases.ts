/** What no honest HTTP client sends: bytes on a bare connection, around a notification that is valid in itself. */
import type { HttpRequest } from '../simulator/http.ts'
import { valid } from './alipayplus-forms.ts'
import type { Case, Expectation, Kit } from './case.ts'
import { acknowledged, cutOff } from './expectations.ts'
import { parseAnswers } from './raw-socket.ts'

type Chunks = { bytes: string | Buffer; pauseMs?: number }[]

const line = ({ method, path }: HttpRequest, version = 'HTTP/1.1') => `${method} ${path} ${version}\r\nHost: conformance\r\n`
const headers = ({ headers }: HttpRequest) => headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
const length = ({ body }: HttpRequest) => `Content-Length: ${body.length}\r\n`
const closing = 'Connection: close\r\n'
const whole = (request: HttpRequest, more = '') =>
  `${line(request)}${headers(request)}${length(request)}${more}\r\n${request.body}`

/** The body in two chunks of the chunked coding. */
function chunked(request: HttpRequest): string {
  const body = request.body.toString('latin1')
  const parts = [body.slice(0, 20), body.slice(20), ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
  return `${line(request)}${headers(request)}Transfer-Encoding: chunked\r\n${closing}\r\n${parts.join('')}`
}
const flood = (count: number, size: number) =>
  Array.from({ length: count }, (_, index) => `X-${index}: ${'x'.repeat(size)}\r\n`).join('')
/** A byte a second, for longer than anyone should wait. */
const trickle = (text: string): Chunks => [...text].slice(0, 40).map((bytes) => ({ bytes, pauseMs: 1_000 }))

const once = (bytes: (request: HttpRequest) => string) => (request: HttpRequest) => [{ bytes: bytes(request) }]
const cases: Record<string, [title: string, chunks: (request: HttpRequest) => Chunks, expect?: Expectation]> = {
  'chunked-body': ['the body in chunks, without a length', once(chunked), acknowledged.alipayplus],
  'two-lengths': ['two different Content-Length headers', once((request) => whole(request, 'Content-Length: 1\r\n'))],
  'length-and-chunked': [
    'Content-Length and Transfer-Encoding',
    once((request) => whole(request, 'Transfer-Encoding: chunked\r\n')),
  ],
  'length-negative': [
    'a negative Content-Length',
    once((request) => `${line(request)}${headers(request)}Content-Length: -1\r\n\r\n`),
  ],
  'folded-header': [
    'a header continued on the next line',
    once((request) => whole(request, 'X-Folded: a\r\n b\r\n').replace(/\r\nSignature: /, '\r\nSignature:\r\n ')),
  ],
  'null-in-header': ['a NUL in a header', once((request) => whole(request, 'X-Null: a\u0000b\r\n'))],
  'blank-before-colon': [
    'a blank before the colon of Signature',
    once((request) => whole(request).replace('Signature:', 'Signature :')),
  ],
  'headers-too-many': ['a thousand headers', once((request) => whole(request, flood(1_000, 4)))],
  'headers-too-large': ['headers of 64 KiB', once((request) => whole(request, flood(4, 16 * 1024)))],
  'http-1.0': ['HTTP/1.0', once((request) => whole(request).replace('HTTP/1.1', 'HTTP/1.0'))],
  'http-2-preface': ['the HTTP/2 preface', once(() => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  'absolute-uri': [
    'a whole URL in the request line',
    once((request) => whole(request, closing).replace(' /', ' http://conformance/')),
  ],
  'trace-method': ['TRACE', once((request) => whole(request, closing).replace('POST', 'TRACE'))],
  'body-too-short': [
    'less body than announced, then silence',
    once((request) => `${line(request)}${headers(request)}Content-Length: 4000\r\n\r\n${request.body}`),
  ],
  'slow-headers': ['a header byte a second', (request) => [{ bytes: line(request) }, ...trickle(headers(request))]],
  'slow-body': [
    'a body byte a second',
    (request) => [{ bytes: `${line(request)}${headers(request)}${length(request)}\r\n` }, ...trickle(String(request.body))],
  ],
}

export const protocolCases: Case[] = Object.entries(cases).map(([name, [title, chunks, expect = cutOff]]) => ({
  name: `http/${name}`,
  title,
  hostile: true,
  expect,
  exchange: async (kit: Kit) => parseAnswers(await kit.sendBytes(chunks(valid(kit)))),
}))
