/**
 * The process that sends signed requests at a fixed rate, whatever the answers do: each has its moment, and its latency counts from there, not from
 * when a slow sender got to it. Ends without an answer, and with the reason, if any was not acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient } from '../../services/operator/simulator/http.ts'
import { readRequests, type SignedRequest } from './signed-requests.ts'
import { answerParent } from './worker.ts'

/** `file`: of requests, a line each; `rate`: per second. */
export type OpenLoop = { target: string; file: string; rate: number }

/** Milliseconds since 1970: when its moment was, when it was handed to the connection, when its answer was read. */
export type Sent = { eventId: string; dueAt: number; sentAt: number; acknowledgedAt: number }

const connections = 256
const answerWithinMs = 60_000
const untilFirstMs = 100

async function sendAll(target: URL, requests: SignedRequest[], rate: number): Promise<Sent[]> {
  const client = createHttpClient(target, connections)
  const beginAt = Date.now() + untilFirstMs
  const sendOne = async ({ eventId, acknowledgement, request }: SignedRequest, dueAt: number): Promise<Sent> => {
    const sentAt = Date.now()
    const { status, body } = await client.send(request, answerWithinMs)
    if (body !== acknowledgement) throw new Error(`HTTP ${status} instead of an acknowledgement: ${body}`)
    return { eventId, dueAt, sentAt, acknowledgedAt: Date.now() }
  }
  const sending: Promise<Sent>[] = []
  for (const [index, request] of requests.entries()) {
    const dueAt = beginAt + (index * 1_000) / rate
    while (Date.now() < dueAt) await sleep(dueAt - Date.now())
    const sent = sendOne(request, dueAt)
    sent.catch(() => {})
    sending.push(sent)
  }
  return Promise.all(sending).finally(client.close)
}

answerParent(async ({ target, file, rate }: OpenLoop) => sendAll(new URL(target), await readRequests(file), rate))
