/** An HTTP endpoint that takes notifications and answers as a script says; its Alipay+ answers are signed like the gateway's. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAnswerSigner } from '../../services/gateway/answer-signer.ts'
import { alipayplusPath } from '../../services/operator/keys/demonstration.ts'
import { alipayplusAcknowledgement } from '../../services/operator/simulator/alipayplus-wire.ts'
import { bluepayAcknowledgement } from '../../services/operator/simulator/bluepay-wire.ts'

export type Received = { number: number; path: string; headers: Record<string, string | undefined>; body: string; at: number }
/** `U`, `F`: Alipay+'s status, and for BluePay a refusal; `cut`: the connection, before an answer. */
export type Reply = 'acknowledge' | 'U' | 'F' | 'cut' | 'silence'

const results = {
  U: '{"result":{"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U","resultMessage":"again"}}',
  F: '{"result":{"resultCode":"PARAM_ILLEGAL","resultStatus":"F","resultMessage":"no"}}',
}

export async function startEndpoint(
  t: { teardown: (handler: () => Promise<void>) => void },
  keys: string,
  reply: (received: Received) => Reply | Promise<Reply> = () => 'acknowledge',
) {
  const key = createPrivateKey(readFileSync(join(keys, 'alipayplus-answers.private.pem')))
  const signAnswer = createAnswerSigner(alipayplusPath, { keyVersion: '1', key })
  const received: Received[] = []
  const most = { open: 0, atOnce: 0 }

  const server = createServer(async (request, response) => {
    most.atOnce = Math.max(most.atOnce, ++most.open)
    response.once('close', () => most.open--)
    const body = Buffer.concat(await request.toArray()).toString()
    const headers = request.headers as Received['headers']
    const one = { number: received.length, path: request.url ?? '', headers, body, at: performance.now() }
    received.push(one)
    const said = await reply(one)
    if (said === 'silence') return
    if (said === 'cut') return void request.socket.destroy()
    if (one.path !== alipayplusPath)
      return void response.end(said === 'acknowledge' ? bluepayAcknowledgement : '{"code":400,"message":"no"}')
    const answer = said === 'acknowledge' ? alipayplusAcknowledgement : results[said]
    for (const [name, value] of Object.entries(signAnswer(headers['client-id'] ?? '', answer, Date.now())))
      response.setHeader(name, value)
    response.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, most }
}
