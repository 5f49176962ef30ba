/** Notifications signed beforehand: a signature costs more than all that the pipeline does with it, and would be paid on the same cores. */
import { appendFileSync, createReadStream, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { alipayplusAcknowledgement } from '../../services/operator/simulator/alipayplus-wire.ts'
import { bluepayAcknowledgement } from '../../services/operator/simulator/bluepay-wire.ts'
import type { HttpRequest } from '../../services/operator/simulator/http.ts'
import { type Cast, type Delivery, isOdd } from '../../services/operator/simulator/notification.ts'
import { planDeliveries } from '../../services/operator/simulator/plan.ts'
import { describeChange } from '../../services/operator/simulator/plan-file.ts'
import { privateKeyOf } from '../../services/operator/simulator/senders.ts'
import { signDelivery } from '../../services/operator/simulator/wire.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey } from '../../shared/security/keys.ts'
import type { Keys } from './ground.ts'
import { copiesShare } from './raw-records.ts'

/** `eventId`: of the event that it must end as, or as a duplicate of; `acknowledgement`: the only good answer. */
export type SignedRequest = { eventId: string; acknowledgement: string; request: HttpRequest }

const acknowledgements = { alipayplus: alipayplusAcknowledgement, bluepay: bluepayAcknowledgement }
const unsent = { sent: 0, acknowledged: 0, conflicts: 0 }
const pieceLines = 1_000

/**
 * An endless supply of signed notifications, copies among them, each of which becomes an event or a duplicate: what nobody can understand is left
 * out. `writeNext` writes the next `count` to a file, a line each, and returns how many of their changes were not in an earlier one.
 */
export function createRequestWriter(keys: Keys) {
  const identity = createIdentity(loadIdentityKey(keys.env.IDENTITY_KEY_FILE as string).key)
  const deliveries = planDeliveries(withShortKeys(keys.cast), {
    ...{ seed: 'end-to-end', duplicates: copiesShare, lateCancels: 0.1, only: [] },
  })
  const changes = new Set<string>()

  function nextLine(): string {
    let delivery = deliveries.next().value as Delivery
    while (isOdd(delivery.change)) delivery = deliveries.next().value as Delivery
    const eventId = describeChange(delivery.change, unsent, identity).eventId as string
    changes.add(eventId)
    const { request } = signDelivery(delivery, Date.now())
    const body = request.body.toString('base64')
    return `${JSON.stringify({ eventId, acknowledgement: acknowledgements[delivery.change.provider], request: { ...request, body } })}\n`
  }

  return {
    async writeNext(file: string, count: number, onWritten: (written: number) => void): Promise<number> {
      const before = changes.size
      writeFileSync(file, '')
      for (let written = 0; written < count; ) {
        const lines = Array.from({ length: Math.min(pieceLines, count - written) }, nextLine)
        appendFileSync(file, lines.join(''))
        written += lines.length
        onWritten(written)
        // Signing is one long stretch of work; who wants to stop it must be heard.
        await setImmediate()
      }
      return changes.size - before
    },
  }
}

/** A signature by the demonstration's one key of 4096 bits takes eight times as long, to no purpose here. */
const withShortKeys = ({ alipayplus, bluepay }: Cast): Cast => ({
  alipayplus,
  bluepay: bluepay.filter(({ privateKey }) => privateKeyOf(privateKey).asymmetricKeyDetails?.modulusLength === 2048),
})

export async function readRequests(file: string): Promise<SignedRequest[]> {
  const requests: SignedRequest[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { request, ...rest } = JSON.parse(line) as SignedRequest & { request: { body: string } }
    requests.push({ ...rest, request: { ...request, body: Buffer.from(request.body, 'base64') } })
  }
  return requests
}
