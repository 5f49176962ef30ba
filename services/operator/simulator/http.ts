import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/** Header names and values in order; a name may come twice, as nothing here repairs what a test means to break. */
export type HttpRequest = { method: string; path: string; headers: [string, string][]; body: Buffer }
export type HttpAnswer = { status: number; headers: Record<string, string | undefined>; body: string }

export type HttpClient = {
  /** Rejects when there is no whole answer in time. */
  send: (request: HttpRequest, timeoutMs: number) => Promise<HttpAnswer>
  close: () => void
}

/** Connections are kept alive, as the providers keep theirs. */
export function createHttpClient(target: URL, connections: number): HttpClient {
  const secure = target.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: connections, noDelay: true }
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options)
  const open = secure ? httpsRequest : httpRequest

  function send({ method, path, headers, body }: HttpRequest, timeoutMs: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const fixed = ['Host', target.host, 'Content-Length', String(body.length)]
      const request = open(
        {
          host: target.hostname.replace(/^\[|\]$/g, ''),
          port: target.port,
          method,
          path,
          agent,
          headers: [...headers.flat(), ...fixed],
        },
        (response) => readAnswer(response).then(resolve, reject),
      )
      const timer = setTimeout(() => request.destroy(new NoAnswerError(`no answer within ${timeoutMs} ms`)), timeoutMs)
      request.on('close', () => clearTimeout(timer))
      request.on('error', reject)
      request.end(body)
    })
  }

  return { send, close: () => agent.destroy() }
}

class NoAnswerError extends Error {}

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  const body = Buffer.concat(await response.toArray()).toString('utf8')
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
  return { status: response.statusCode ?? 0, headers, body }
}
