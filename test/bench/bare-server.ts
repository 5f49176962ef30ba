/**
 * What no gateway in Node can do without: a bare `node:http` server that gives each request the same ANSWER. With a PUBLIC_KEY (SPKI, base64)
 * it also reads the body, verifies the Alipay+ signature and parses the JSON, as plainly as can be written, and ANSWER is for what verifies.
 */
import { constants, createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const { ANSWER: answer = '', PUBLIC_KEY: publicKey } = process.env
const server = createServer(publicKey ? verifying(publicKey) : (_request, response) => end(response, answer))
await once(server.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
process.stdout.write(`${JSON.stringify({ event: 'listening', url })}\n`)

function verifying(publicKey: string) {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
  const isSigned = ({ method, url, headers }: IncomingMessage, body: Buffer): boolean => {
    const signed = Buffer.concat([Buffer.from(`${method} ${url}\n${headers['client-id']}.${headers['request-time']}.`), body])
    const [, text = ''] = /signature=(.+)$/.exec(String(headers.signature)) ?? []
    const signature = Buffer.from(decodeURIComponent(text), 'base64')
    return verify('sha256', signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature)
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const { authClientId } = JSON.parse(body.toString()) as { authClientId?: string }
      end(response, isSigned(request, body) && authClientId ? answer : 'Not signed')
    })
  }
}

function end(response: ServerResponse, answer: string): void {
  response.writeHead(200, { 'Content-Type': 'application/json; charset=UTF-8', 'Content-Length': Buffer.byteLength(answer) })
  response.end(answer)
}
