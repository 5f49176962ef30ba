/**
 * Follows token-events.v1 with kafkajs, one line per event: position, event id, type, late, token ref, and what its sealed part holds.
 *
 *   npm install <token-event-contracts-1.0.0.tgz> && npm run build
 *   KAFKA_BROKERS=127.0.0.1:9092 GROUP_ID=my-team.my-service npm start
 *
 * TOPIC is `token-events.v1` if not set; CREDENTIALS_FILE is the key file of those who may open what is sealed. Any error ends the process:
 * its supervisor starts it again where it last committed.
 */
import { createHash } from 'node:crypto'
import kafkajs, { type KafkaMessage } from 'kafkajs'
import { loadKeyRing } from 'token-event-contracts/keys'
import { openCredentials } from 'token-event-contracts/open-credentials'
import type { TokenEvent } from 'token-event-contracts/types'
import { checkTokenEvent } from 'token-event-contracts/validate'

const { KAFKA_BROKERS = '127.0.0.1:9092', TOPIC: topic = 'token-events.v1', GROUP_ID: groupId, CREDENTIALS_FILE } = process.env
if (!groupId) fail('Set GROUP_ID to a name of your own, such as my-team.my-service')
const keys = CREDENTIALS_FILE ? loadKeyRing(CREDENTIALS_FILE, 'secret') : undefined
/** Stands for your database: a unique index on the event id, written in one transaction with your work. */
const seen = new Set<string>()

function handle(position: string, message: KafkaMessage): void {
  const checked = checkTokenEvent(JSON.parse(String(message.value)))
  if ('mistakes' in checked) throw new Error(`No token event: ${checked.mistakes.join('; ')}`)
  const event = checked.value
  // Again after a crash, a replay (header replay-id) or a repeat beyond the window: the same id is the same change.
  if (seen.has(event.eventId)) return
  seen.add(event.eventId)
  const columns = [position, event.eventId, event.type, String(event.late), event.token?.ref ?? '-', credentialsOf(event)]
  console.log(columns.join('\t'))
}

/** Never printed: which there are, and a hash of the token. */
function credentialsOf(event: TokenEvent): string {
  if (!keys || !event.sealed) return '-'
  const credentials = openCredentials(keys, event, event.sealed)
  if (!credentials) throw new Error('The sealed part was altered, or belongs to another event')
  const token = credentials.accessToken && createHash('sha256').update(credentials.accessToken).digest('hex').slice(0, 16)
  return [...Object.keys(credentials).sort(), token ?? '-'].join(' ')
}

const kafka = new kafkajs.Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: groupId, logLevel: kafkajs.logLevel.ERROR })

/** kafkajs itself would go on at the beginning of what is left, in silence, and commit that over the group's own offset. */
async function refuseLostOffsets(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const [committed] = await admin.fetchOffsets({ groupId: groupId as string, topics: [topic] })
  for (const { partition, low } of await admin.fetchTopicOffsets(topic)) {
    const next = committed?.partitions.find((known) => known.partition === partition)?.offset ?? '-1'
    if (next !== '-1' && BigInt(next) < BigInt(low)) fail(`${topic}/${partition}: offsets ${next} to ${low} left retention`)
  }
  await admin.disconnect()
}

/** The work. An error in it ends the process, and the next one begins at this record. */
function handled(position: string, message: KafkaMessage): boolean {
  try {
    handle(position, message)
    return true
  } catch (error) {
    console.error(`${position}: ${(error as Error).message}`)
    void stop(1)
    return false
  }
}

await refuseLostOffsets()
// read_committed is its default. The default for maxWaitTimeInMs, 5 s, delays every rebalance and stop.
const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 500 })
// With `restart: false` kafkajs gives up, and without this nobody would notice.
consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) void stop(1)
})
process.once('SIGTERM', () => stop(0))
process.once('SIGINT', () => stop(0))

await consumer.connect()
// Its default is to begin at the end: a new group would miss everything so far.
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  // By default kafkajs commits by the clock, done or not.
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
    const { partition, messages } = batch
    let done = 0
    for (const message of messages) {
      if (!isRunning() || isStale() || !handled(`${topic}/${partition}/${message.offset}`, message)) break
      resolveOffset(message.offset)
      done++
      await heartbeat()
    }
    if (done === 0) return
    // Beyond the last record lie the markers of its transaction: without them, a lag of 1 would stay for ever.
    const last = done === messages.length ? batch.lastOffset() : (messages[done - 1] as KafkaMessage).offset
    resolveOffset(last)
    await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(last) + 1n) }])
  },
})

/** Leaves the group, so that another member need not wait for the session to end. */
async function stop(code: number): Promise<void> {
  await consumer.disconnect()
  process.exit(code)
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(1)
}
