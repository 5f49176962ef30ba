/** Raw topics filled with what the gateway would have written: its own routes, identities and sealer, at the rate of a batch job. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { loadAccounts } from '../../services/gateway/accounts.ts'
import { createAlipayPlus } from '../../services/gateway/alipayplus.ts'
import { createBluePay } from '../../services/gateway/bluepay.ts'
import { createKeep } from '../../services/gateway/keep.ts'
import type { ProviderRoute } from '../../services/gateway/provider-route.ts'
import { encodeSignature, formatTime } from '../../services/operator/simulator/alipayplus-wire.ts'
import { bluepayRequest } from '../../services/operator/simulator/bluepay-wire.ts'
import type { HttpRequest } from '../../services/operator/simulator/http.ts'
import type { AlipayplusClient, Delivery } from '../../services/operator/simulator/notification.ts'
import { planDeliveries } from '../../services/operator/simulator/plan.ts'
import type { AlipayplusSender, BluepaySender } from '../../services/operator/simulator/senders.ts'
import { arrange, spell } from '../../services/operator/simulator/spelling.ts'
import { type AppendedRecord, openAppender } from '../../shared/kafka/append.ts'
import { choosePartition } from '../../shared/kafka/choose-partition.ts'
import type { RawRecord } from '../../shared/kafka/publisher.ts'
import { createIdentity } from '../../shared/security/identity.ts'
import { loadIdentityKey, loadKeyRing } from '../../shared/security/keys.ts'
import { createRawSealer } from '../../shared/security/seal-raw.ts'
import type { World } from './bench.ts'
import type { Ground } from './ground.ts'

/** Copies among what is sent, as the goals have it. */
export const copiesShare = 0.2
const lateCancels = 0.1
const pieceRecords = 24_000

/** Both providers' notifications in the order and mix of the simulator: a fifth copies, some dead, some canceled before they were created. */
export async function fillRaw(world: World, ground: Ground): Promise<void> {
  const { records } = world
  const { set, keys } = ground
  const rawRecordOf = createRawRecordOf(ground)
  const appender = await openAppender(set.kafka)
  const progress = world.progress('raw records', records)
  try {
    let piece: AppendedRecord[] = []
    for (const delivery of planDeliveries(keys.cast, { seed: set.prefix, duplicates: copiesShare, lateCancels, only: [] })) {
      const record = await rawRecordOf(delivery)
      piece.push({ ...record, partition: choosePartition(record.key, set.partitions) })
      const written = delivery.number + 1
      if (piece.length < pieceRecords && written < records) continue
      await appender.append(byPartition(piece))
      piece = []
      progress.advance(written)
      if (written === records) break
    }
  } finally {
    progress.end()
    await appender.close()
  }
}

/** Few large sends instead of one for each change of partition; the order within a partition stays. */
const byPartition = (records: AppendedRecord[]) =>
  [...Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`).values()].flat()

/** The gateway's way from a request to the raw record. Only the signature is not looked at: a real one costs 0.3 ms to make. */
function createRawRecordOf({ keys, set }: Ground): (delivery: Delivery) => Promise<RawRecord> {
  const identity = createIdentity(loadIdentityKey(keys.env.IDENTITY_KEY_FILE as string).key)
  const accounts = loadAccounts(join(keys.dir, 'accounts.yaml'))
  if (!accounts.alipayplus || !accounts.bluepay) throw new Error('The accounts of the demonstration lack a provider')
  const common = { identity, verifies: () => true, deadlineMs: 1_000, freshnessMs: Number.POSITIVE_INFINITY }
  const routes: Record<'alipayplus' | 'bluepay', ProviderRoute> = {
    alipayplus: createAlipayPlus(accounts.alipayplus, common),
    bluepay: createBluePay(accounts.bluepay, common),
  }
  let last: RawRecord | undefined
  const keep = createKeep({
    publisher: {
      async publish(record) {
        last = record
        return { partition: 0, offset: '0' }
      },
    },
    sealer: createRawSealer(loadKeyRing(keys.env.RAW_PUBLIC_KEYS_FILE as string, 'public')),
    topics: set.topics,
  })
  return async (delivery) => {
    const route = routes[delivery.change.provider]
    const receivedAt = Date.now()
    const { path, headers, body } = requestOf(delivery, receivedAt)
    const verdict = route.check({ path, rawHeaders: headers.flat(), body, receivedAt })
    if (verdict.kind === 'refused') throw new Error(`The gateway would refuse a ${delivery.change.kind}: ${verdict.reason}`)
    await keep(route, verdict.notification, body, receivedAt)
    return last as RawRecord
  }
}

const requestOf = (delivery: Delivery, now: number): HttpRequest =>
  delivery.change.provider === 'alipayplus'
    ? alipayplusRequest(delivery.change.sender, delivery, now)
    : bluepayRequestOf(delivery.change.sender, delivery)

/** As long as one by a key of 2048 bits, which is what is stored. */
const signature = () => randomBytes(256)

function alipayplusRequest({ keys }: AlipayplusClient, { content, style }: Delivery, now: number): HttpRequest {
  const { path, clientId, keyVersion } = keys[style.key % keys.length] as AlipayplusSender
  const members = ['algorithm=RSA256', `keyVersion=${keyVersion}`, `signature=${encodeSignature(signature(), style.signature)}`]
  const headers: [string, string][] = [
    ['Client-Id', clientId],
    ['Request-Time', formatTime(now, style.time)],
    ['Signature', members.join(style.separator)],
  ]
  return { method: 'POST', path, headers, body: Buffer.from(spell('alipayplus', content, style)) }
}

function bluepayRequestOf(sender: BluepaySender, { content, style }: Delivery): HttpRequest {
  const sign = signature().toString('base64')
  const isFlat = sender.style === 'flat' && typeof content !== 'string'
  const members = isFlat ? { ...arrange('bluepay', content, style), sign } : { param: spell('bluepay', content, style), sign }
  return bluepayRequest(sender, JSON.stringify(members, null, style.blanks === 'pretty' ? 2 : undefined))
}
