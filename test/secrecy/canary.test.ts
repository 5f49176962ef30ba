/**
 * The canary run (P9): notifications whose every credential and personal field is a unique random secret go through the whole pipeline, on a
 * Kafka and a Redis of their own, with everything going wrong on the way and debug logging on. Then every byte left behind is scanned.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../../deploy/local/start-stack.ts'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import type { TokenEvent } from '../../shared/contracts/types.ts'
import { keyPair } from '../gateway/signing.ts'
import { readAll } from '../support/read-topic.ts'
import { waitFor } from '../support/wait-for.ts'
import { createCanaries } from './canaries.ts'
import { createScan, disguises } from './disguises.ts'
import { createOpener, keysIn, materialOf, opens } from './openings.ts'
import { startOwnPipeline } from './own-pipeline.ts'
import { askOperator, askStores, filesLeft, held, type Place, plant, plantedName } from './remains.ts'
import { tellStory } from './story.ts'

const localFolder = join(projectRoot, '.local')
const reportFile = join(localFolder, 'canary-report.txt')
mkdirSync(localFolder, { recursive: true })
const folder = mkdtempSync(join(localFolder, 'canary-'))
const left = join(folder, 'left')
const topics = topicNames()
const canaries = createCanaries()
const textOf = ({ value }: { value: Buffer | null }) => String(value)

const pipeline = await startOwnPipeline(left)
/** A failed run leaves its folder, to look at what was found. */
t.teardown(async () => {
  await pipeline.stop()
  if (t.passing()) rmSync(folder, { recursive: true, force: true })
})
Object.assign(process.env, { KAFKA_BROKERS: pipeline.kafka.brokers, REDIS_URL: pipeline.redis.redisUrl })
const story = await tellStory(pipeline, folder, canaries)
const { keys, gatewayKeys, providers } = story
const accounts = await waitFor(
  'everything to be accounted for',
  async () => {
    const raw = await readAll(topics.raw.alipayplus, topics.raw.bluepay)
    const [events, duplicates] = [await readAll(topics.events), await readAll(topics.duplicates)]
    const [dead, syncs] = [await readAll(topics.deadLetters.normalizer), await readAll(topics.syncs)]
    const ended = events.length + duplicates.length + dead.length
    const states = new Set((await readAll(topics.states)).map(({ key }) => String(key)))
    const tokens = new Set(events.flatMap(({ headers }) => headers[header.subject] ?? []))
    const isDone = ended >= raw.length && syncs.length >= events.length && states.size >= tokens.size
    return isDone && { raw, events, duplicates, dead, syncs }
  },
  { timeoutMs: 90_000 },
)
const { raw, events, duplicates, dead, syncs } = accounts

t.test('everything went wrong that was to go wrong, and nothing was lost', async (t) => {
  t.equal(events.length + duplicates.length + dead.length, raw.length, 'raw = events + duplicates + dead letters')
  t.equal(events.length, story.changes.length, 'one event for each change')
  t.equal(syncs.length, events.length)
  t.ok(dead.length >= story.dead.length, `${dead.length} dead letters`)
  const conflicts = duplicates.filter((record) => textOf(record).includes('"conflict":true'))
  t.ok(conflicts.length > 0 && conflicts.length < duplicates.length, `${conflicts.length} of ${duplicates.length} conflict`)
  t.ok(
    events.some((record) => textOf(record).includes('"late":true')),
    'one is late',
  )
  for (const { name, kept, status } of story.refusals) t.notOk(kept, `${name} is refused (${status})`)
  for (const { kept, status } of story.turnedAway) t.notOk(kept, `without Kafka: call again (${status})`)
  t.match(story.crash, { exit: { code: 1 }, output: /could not be parsed/ }, 'the deduplicator died of an exception')
  t.match(story.gateway.output(), /"level":"debug"/, 'debug logging was on')
})

t.test('the secrets really travelled: all are in the sealed raw records, and those of each change in its event', async (t) => {
  const openRaw = await createOpener(join(keys, 'raw.private.json'))
  const openCredentials = await createOpener(join(keys, 'credentials.json'))
  const bodies = (await Promise.all(raw.map((record) => openRaw(textOf(record))))).join('\n')
  const told = providers.delivered.join('\n')
  // Up to the characters that JSON escapes.
  const travelling = [...canaries.made].filter(([, secret]) => told.includes(secret.slice(0, 16)))
  t.ok(travelling.length > 100, `${travelling.length} of ${canaries.made.size} secrets were in verified notifications`)
  t.strictSame(
    travelling.filter(([, secret]) => !bodies.includes(secret.slice(0, 16))),
    [],
    'each is in a raw record',
  )

  const tokens = events.map((record) => JSON.parse(textOf(record)) as TokenEvent)
  const opened = await Promise.all(tokens.map(async ({ sealed = '' }) => JSON.parse(await openCredentials(sealed)) as object))
  const sorted = (secrets: object) => JSON.stringify(Object.entries(secrets).sort())
  const sealed = new Set(opened.map(sorted))
  for (const { name, secrets } of story.changes) t.ok(sealed.has(sorted(secrets)), `${name}: ${Object.keys(secrets).join(', ')}`)
})

t.test('nothing that the gateway has opens a raw record', async (t) => {
  const [record] = raw
  const [right] = await keysIn(keys).then((found) => found.filter(({ name }) => name === 'raw.private.json'))
  t.ok(record && right && (await opens(textOf(record), right.key)), 'the private key does')
  const tried = await keysIn(gatewayKeys)
  t.strictSame(tried.map(({ name }) => name).sort(), ['accounts.json (private key)', 'identity.json', 'raw.public.json'])
  for (const { name, key } of tried) t.notOk(record && (await opens(textOf(record), key)), name)
})

t.test('the gateway’s environment leads to no other key', { skip: process.platform !== 'linux' && 'needs /proc' }, async (t) => {
  const environment = readFileSync(`/proc/${story.gateway.pid}/environ`, 'utf8').split('\0')
  const files = environment
    .filter((entry) => entry.split('=')[0]?.endsWith('_FILE'))
    .map((entry) => entry.slice(entry.indexOf('=') + 1))
  t.strictSame([...new Set(files.map((file) => dirname(file)))], [gatewayKeys], 'its environment names files of that folder only')
  const material = ['raw.private.json', 'credentials.json'].flatMap((name) => materialOf(join(keys, name)))
  t.strictSame(createScan(material)(Buffer.from(environment.join('\n'))), [], 'and holds no key itself')
})

const places: Place[] = []

t.test('everything that is left behind is collected, and the scan finds what is planted in it, in every form', async (t) => {
  await story.lookAtAll()
  const operatorAnswers = await askOperator(pipeline, keys)
  t.strictSame(
    operatorAnswers.map(({ code }) => code),
    operatorAnswers.map(() => 0),
    'the operator answers',
  )
  const seeds = disguises.map((disguise) => ({ ...disguise, canaries: createCanaries() }))
  const texts = seeds.map(({ name, write, canaries }) => ({ name, bytes: write(canaries.make(name)) }))
  await plant(texts, story.kafka, pipeline.redis.redisUrl, join(left, 'logs', plantedName))
  places.push(
    ...providers.answers.map((bytes, index) => held('HTTP answer', `answer ${index + 1}`, bytes)),
    ...story.seen,
    ...(await askStores(story.kafka, pipeline.redis.redisUrl)),
  )
  await pipeline.stop()
  places.push(...filesLeft(left))

  for (const kind of ['Kafka data', 'Redis memory', 'Redis file', 'log']) {
    const where = places.filter((place) => place.kind === kind && (kind === 'Redis file' || place.name.includes(plantedName)))
    for (const { name, canaries } of seeds) {
      const scan = createScan(canaries.marks)
      t.ok(
        where.some((place) => scan(place.read()).length > 0),
        `${kind}: ${name}`,
      )
    }
  }
})

t.test('the scan reads what the pipeline wrote: it finds what is no secret', async (t) => {
  const { token, eventId } = JSON.parse(
    textOf(events.find((record) => textOf(record).includes('"ref"')) ?? { value: null }),
  ) as TokenEvent
  const known: [string, Buffer][] = [
    ['Kafka data', Buffer.from(token?.ref ?? 'none')],
    ['Redis memory', Buffer.from(eventId, 'hex')],
    ['Redis file', Buffer.from(eventId, 'hex')],
    ['log', Buffer.from('batch-processed')],
    ['metrics page', Buffer.from('process_cpu_seconds_total')],
    ['HTTP answer', Buffer.from('"resultCode":"SUCCESS"')],
    ['consumer group', Buffer.from('token-notifications.deduplicator')],
  ]
  for (const [kind, bytes] of known) {
    const scan = createScan([bytes])
    t.ok(
      places.some((place) => place.kind === kind && scan(place.read()).length > 0),
      kind,
    )
  }
})

t.test('the scan finds no secret of any notification, no path id, no password and no key', async (t) => {
  const material = ['raw.private.json', 'credentials.json', 'identity.json'].flatMap((name) => materialOf(join(keys, name)))
  // Beyond the modulus, which is public, lies the private exponent.
  const answerKey = keyPair('answers').privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(320, 352)
  const scan = createScan([...canaries.marks, ...material, answerKey])
  const totals = new Map<string, { places: number; bytes: number; finds: string[] }>()
  for (const { kind, name, read } of places) {
    const bytes = read()
    const total = totals.get(kind) ?? { places: 0, bytes: 0, finds: [] }
    totals.set(kind, total)
    total.places++
    total.bytes += bytes.length
    for (const { disguise, offset } of scan(bytes)) total.finds.push(`${name} at ${offset}: ${disguise}`)
  }
  const report = [...totals].map(([kind, { places, bytes, finds }]) =>
    [`${kind}: ${places} places, ${bytes} bytes, ${finds.length} finds`, ...finds].join('\n  '),
  )
  report.push(`${canaries.made.size} secrets, ${disguises.length} forms; scanned in ${folder}`)
  writeFileSync(reportFile, `${report.join('\n')}\n`)
  for (const line of report) t.comment(line)
  for (const [kind, { finds }] of totals) t.strictSame(finds, [], kind)
  t.strictSame([...totals.keys()].sort(), [
    'HTTP answer',
    'Kafka data',
    'Redis file',
    'Redis memory',
    'consumer group',
    'log',
    'metrics page',
  ])
})
